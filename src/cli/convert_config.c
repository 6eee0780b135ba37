/* convert_config.c - config.json and the shard index of the result. What the config says beyond our own
 * keys is kept, in its order; numbers keep their kind (1.0 stays a fraction: newer Hugging Face versions
 * refuse a whole number there). */
#include "cli/convert.h"
#include <stdlib.h>
#include <string.h>

enum { CONFIG_MAX = 16 << 20 };

static void line_put(Buf *b, int depth)
{
	buf_addc(b, '\n');
	for (int i = 0; i < depth; i++)
		buf_adds(b, "  ");
}

static void scalar_put(Buf *b, const json_t *v)
{
	Jout j;
	size_t at = b->len;
	jout_init(&j, b);
	switch (json_typeof(v)) {
	case JSON_STRING: jout_strn(&j, json_string_value(v), json_string_length(v)); break;
	case JSON_INTEGER: jout_int(&j, json_integer_value(v)); break;
	case JSON_REAL:
		jout_num(&j, json_real_value(v));
		if (!b->failed && !strpbrk(b->s + at, ".eE"))
			buf_adds(b, ".0");
		break;
	case JSON_TRUE: case JSON_FALSE: jout_bool(&j, json_is_true(v)); break;
	default: jout_null(&j);
	}
}

/* Indented by two, one member per line. */
static void value_put(Buf *b, json_t *v, int depth)
{
	const char *key;
	json_t *x;
	size_t i;
	bool object = json_is_object(v), first = true;
	if (!object && !json_is_array(v)) {
		scalar_put(b, v);
		return;
	}
	buf_addc(b, object ? '{' : '[');
	if (object) {
		json_object_foreach(v, key, x) {
			Jout j;
			buf_adds(b, first ? "" : ",");
			first = false;
			line_put(b, depth + 1);
			jout_init(&j, b);
			jout_str(&j, key);
			buf_adds(b, ": ");
			value_put(b, x, depth + 1);
		}
	} else {
		json_array_foreach(v, i, x) {
			buf_adds(b, first ? "" : ",");
			first = false;
			line_put(b, depth + 1);
			value_put(b, x, depth + 1);
		}
	}
	if (!first)
		line_put(b, depth);
	buf_addc(b, object ? '}' : ']');
}

/* Whichever of the two spellings is there, else the older, which all versions read. */
static int dtype_set(json_t *c, ConvertTo to)
{
	static const char *const name[] = { [TO_F32] = "float32", [TO_F16] = "float16",
		[TO_BF16] = "bfloat16" };
	bool newer = json_object_get(c, "dtype") != NULL,
	     older = json_object_get(c, "torch_dtype") != NULL || !newer;
	int bad = newer ? json_object_set_new(c, "dtype", json_string(name[to])) : 0;
	return bad | (older ? json_object_set_new(c, "torch_dtype", json_string(name[to])) : 0);
}

static int quant_set(json_t *c)
{
	if (json_is_object(json_object_get(c, "quantization_config")))
		return 0; /* it was FP8 before */
	return json_object_set_new(c, "quantization_config",
		json_pack("{s:s, s:s, s:s, s:[i,i]}", "activation_scheme", "dynamic", "fmt", "e4m3",
			"quant_method", "fp8", "weight_block_size", 128, 128));
}

static void list_cut(json_t *list, int64_t n)
{
	while (json_is_array(list) && json_array_size(list) > (size_t)n)
		json_array_remove(list, json_array_size(list) - 1);
}

static int layers_set(json_t *c, int64_t layers)
{
	list_cut(json_object_get(c, "mlp_layer_types"), layers);
	list_cut(json_object_get(c, "layer_types"), layers);
	return json_object_set_new(c, "num_hidden_layers", json_integer(layers)) |
	       json_object_set_new(c, "num_nextn_predict_layers", json_integer(0));
}

bool convert_config(const char *src, ConvertTo to, int64_t layers, Buf *out, Err *e)
{
	Buf path = BUF_INIT;
	int bad = 0;
	buf_printf(&path, "%s/config.json", src);
	json_t *c = path.failed ? NULL : json_parse_file(path.s, CONFIG_MAX, E_3070, e);
	buf_done(&path);
	if (!c)
		return err_set(e, E_5001, "out of memory for the config");
	json_object_del(c, "auto_map"); /* names Python files that are not part of the result */
	if (layers)
		bad |= layers_set(c, layers);
	if (to == TO_FP8)
		bad |= quant_set(c);
	else if (to != TO_KEEP) {
		json_object_del(c, "quantization_config");
		bad |= dtype_set(c, to);
	}
	value_put(out, c, 0);
	buf_addc(out, '\n');
	json_decref(c);
	return (!bad && !out->failed) || err_set(e, E_5001, "out of memory for the config");
}

static int name_order(const void *a, const void *b)
{
	const Put *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

bool convert_index(const Plan *p, Buf *out)
{
	Buf shard = BUF_INIT;
	Jout j;
	const Put **by_name = malloc((p->n + 1) * sizeof *by_name);
	if (!by_name)
		return false;
	for (size_t i = 0; i < p->n; i++)
		by_name[i] = &p->put[i];
	if (p->n)
		qsort(by_name, p->n, sizeof *by_name, name_order);
	buf_printf(out, "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {",
		(unsigned long long)p->bytes);
	for (size_t i = 0; i < p->n; i++) {
		buf_adds(out, i ? ",\n    " : "\n    ");
		jout_init(&j, out);
		jout_str(&j, by_name[i]->name);
		buf_clear(&shard);
		plan_shard_name(p, by_name[i]->shard, &shard);
		buf_printf(out, ": \"%s\"", buf_str(&shard));
	}
	buf_adds(out, "\n  }\n}\n");
	bool ok = !out->failed && !shard.failed;
	buf_done(&shard);
	free(by_name);
	return ok;
}
