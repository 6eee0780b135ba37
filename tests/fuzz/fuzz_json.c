/* fuzz_json.c - any bytes as JSON. What is accepted is written by Jout and must be accepted again, with
 * equal values. */
#include "fuzz.h"
#include "base/json.h"
#include <string.h>

static void value_write(Jout *j, json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		jout_obj(j);
		json_object_foreach(v, key, item) {
			jout_key(j, key);
			value_write(j, item);
		}
		jout_end_obj(j);
		break;
	case JSON_ARRAY:
		jout_arr(j);
		json_array_foreach(v, i, item)
			value_write(j, item);
		jout_end_arr(j);
		break;
	case JSON_STRING:
		jout_strn(j, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		jout_int(j, json_integer_value(v));
		break;
	case JSON_REAL:
		jout_num(j, json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		jout_bool(j, json_is_true(v));
		break;
	case JSON_NULL:
		jout_null(j);
	}
}

static bool same(json_t *a, json_t *b)
{
	if (json_is_number(a) && json_is_number(b)) /* 3.0 may come back as 3 */
		return json_number_value(a) == json_number_value(b);
	if (json_typeof(a) != json_typeof(b))
		return false;
	if (json_is_array(a)) {
		for (size_t i = 0; i < json_array_size(a); i++)
			if (!same(json_array_get(a, i), json_array_get(b, i)))
				return false;
		return json_array_size(a) == json_array_size(b);
	}
	if (json_is_object(a)) {
		const char *key;
		json_t *item;
		json_object_foreach(a, key, item)
			if (!json_object_get(b, key) || !same(item, json_object_get(b, key)))
				return false;
		return json_object_size(a) == json_object_size(b);
	}
	return json_equal(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Err e = { 0 };
	json_t *v = json_parse((const char *)data, size, "input", E_2003, &e);
	if (!v) {
		FUZZ_CHECK(e.code != 0 && strncmp(e.text, "input: ", 7) == 0);
		return 0;
	}
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	value_write(&j, v);
	json_t *again = json_parse(buf_str(&b), b.len, "output", E_2003, &e);
	FUZZ_CHECK(again && same(v, again));
	json_decref(again);
	json_decref(v);
	buf_done(&b);
	return 0;
}
