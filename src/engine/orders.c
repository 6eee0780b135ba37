/* orders.c - the commands of lathe-stream(5), one function each, in a table. Fields are checked for type and
 * range before use; a field that a command does not know is an error, so that a misspelt one is not silently
 * without effect. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/jobs.h"
#include "engine/tensors.h"
#include "engine/trace.h"
#include "text/chat.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool want_type(const char *key, const char *type, Err *e)
{
	return err_set(e, E_3183, "command: \"%s\" must be %s", key, type);
}

/* Each getter leaves *out alone when the key is absent. */
static bool get_int(const json_t *c, const char *key, int64_t lo, int64_t hi, int64_t *out, Err *e)
{
	const json_t *v = json_object_get(c, key);
	if (!v)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < lo || json_integer_value(v) > hi) {
		char type[80];
		snprintf(type, sizeof type, "an integer from %" PRId64 " to %" PRId64, lo, hi);
		return want_type(key, type, e);
	}
	*out = json_integer_value(v);
	return true;
}

static bool get_num(const json_t *c, const char *key, double lo, double hi, double *out, Err *e)
{
	const json_t *v = json_object_get(c, key);
	if (!v)
		return true;
	if (!json_is_number(v) || !(json_number_value(v) >= lo && json_number_value(v) <= hi)) {
		char type[80];
		snprintf(type, sizeof type, "a number from %g to %g", lo, hi);
		return want_type(key, type, e);
	}
	*out = json_number_value(v);
	return true;
}

static bool get_str(const json_t *c, const char *key, const char **out, Err *e)
{
	const json_t *v = json_object_get(c, key);
	if (!v)
		return true;
	if (!json_is_string(v))
		return want_type(key, "a string", e);
	*out = json_string_value(v);
	return true;
}

static bool get_bool(const json_t *c, const char *key, bool *out, Err *e)
{
	const json_t *v = json_object_get(c, key);
	if (!v)
		return true;
	if (!json_is_boolean(v))
		return want_type(key, "true or false", e);
	*out = json_is_true(v);
	return true;
}

/* One of three words -> 0, 1, 2. */
static bool get_word(const json_t *c, const char *key, const char *const word[3], int *out, Err *e)
{
	const char *s = NULL;
	if (!get_str(c, key, &s, e))
		return false;
	for (int i = 0; s && i < 3; i++)
		if (strcmp(s, word[i]) == 0) {
			*out = i;
			return true;
		}
	if (!s)
		return true;
	char type[80];
	snprintf(type, sizeof type, "\"%s\", \"%s\" or \"%s\"", word[0], word[1], word[2]);
	return want_type(key, type, e);
}

static const char *const attention_words[3] = { "auto", "naive", "absorbed" };
static const char *const mtp_words[3] = { "auto", "on", "off" };

static bool get_cache(const json_t *c, RunOptions *o, Err *e)
{
	static const char *const word[3] = { "f32", "bf16", "auto" };
	const char *s = NULL;
	int i = 2;
	if (!get_str(c, "cache_dtype", &s, e))
		return false;
	if (!s)
		return true;
	if (strcmp(s, "fp8") == 0) {
		strcpy(o->cache_dtype, s);
		return true;
	}
	if (!get_word(c, "cache_dtype", word, &i, e))
		return false;
	strcpy(o->cache_dtype, i == 2 ? "" : word[i]);
	return true;
}

static bool get_run_options(const json_t *c, RunOptions *o, Err *e)
{
	int64_t top_k = o->s.top_k, seed = (int64_t)o->s.seed, alternatives = o->s.alternatives,
		chunk = o->s.chunk;
	int attention = (int)o->s.attention, mtp = (int)o->s.mtp;
	bool ok = get_num(c, "temperature", 0, 100, &o->s.temperature, e) &&
		  get_num(c, "top_p", 0, 1, &o->s.top_p, e) && get_num(c, "min_p", 0, 1, &o->s.min_p, e) &&
		  get_int(c, "top_k", 0, INT32_MAX, &top_k, e) &&
		  get_int(c, "seed", INT64_MIN, INT64_MAX, &seed, e) &&
		  get_int(c, "n", 0, INT32_MAX, &o->n, e) &&
		  get_int(c, "alternatives", 0, LATHE_ALTERNATIVES_MAX, &alternatives, e) &&
		  get_int(c, "chunk", 0, 1 << 20, &chunk, e) &&
		  get_int(c, "context", 0, INT32_MAX, &o->s.context, e) &&
		  get_bool(c, "ignore_eos", &o->s.ignore_eos, e) &&
		  get_word(c, "attention", attention_words, &attention, e) &&
		  get_word(c, "mtp", mtp_words, &mtp, e) && get_cache(c, o, e);
	o->s.top_k = (int)top_k;
	o->s.seed = (uint64_t)seed;
	o->s.alternatives = (int)alternatives;
	o->s.chunk = (int)chunk;
	o->s.attention = (LatheAttention)attention;
	o->s.mtp = (LatheMtp)mtp;
	return ok;
}

static bool need_model(const Jobs *j, Err *e)
{
	return j->model || err_set(e, E_9002, "no model is loaded; send load first");
}

static bool need_text(const Jobs *j, Err *e)
{
	return j->run.session || err_set(e, E_9002, "no text has begun; send prompt first");
}

static bool encode(const Jobs *j, const char *s, size_t n, bool bos, int32_t **ids, size_t *n_ids, Err *e)
{
	LatheError le = { 0 };
	return lathe_encode(j->model, s, n, bos, ids, n_ids, &le) || jobs_error(e, &le);
}

/* The tokenizer_config.json beside the weights. */
static const ChatFamily *chat_of_model(const Jobs *j, Err *e)
{
	Buf path = BUF_INIT;
	size_t n = strlen(j->path), cut = n;
	if (n > 12 && strcmp(j->path + n - 12, ".safetensors") == 0)
		while (cut > 0 && j->path[cut - 1] != '/')
			cut--;
	buf_add(&path, j->path, cut);
	buf_adds(&path, cut == 0 ? "./" : "/");
	buf_adds(&path, "tokenizer_config.json");
	const ChatFamily *f = chat_of_config(buf_str(&path), e);
	buf_done(&path);
	return f;
}

static bool ids_of_chat(const Jobs *j, const json_t *c, int32_t **ids, size_t *n, Err *e)
{
	const char *name = NULL;
	if (!get_str(c, "chat", &name, e))
		return false;
	const ChatFamily *f = name && strcmp(name, "auto") != 0 ? chat_by_name(name) : chat_of_model(j, e);
	if (!f)
		return err_set(e, E_2003, "command: no chat format is called \"%s\"", name ? name : "auto");
	json_t *request = json_object();
	static const char *const take[] = { "messages", "thinking", "tools", "add_generation_prompt" };
	for (size_t i = 0; i < sizeof take / sizeof take[0]; i++) {
		json_t *v = json_object_get(c, take[i]);
		if (v)
			json_object_set(request, take[i], v);
	}
	if (!json_object_get(c, "add_generation_prompt"))
		json_object_set_new(request, "add_generation_prompt", json_true());
	Buf text = BUF_INIT;
	bool ok = chat_render(f, request, &text, e) && encode(j, buf_str(&text), text.len, false, ids, n, e);
	json_decref(request);
	buf_done(&text);
	return ok;
}

static bool ids_of_list(const Jobs *j, const json_t *list, int32_t **ids, size_t *n, Err *e)
{
	int64_t vocab = lathe_vocab(j->model);
	if (!json_is_array(list))
		return want_type("ids", "a list of token ids", e);
	*n = json_array_size(list);
	*ids = malloc((*n ? *n : 1) * sizeof **ids);
	if (!*ids)
		return err_set(e, E_5001, "ids: out of memory");
	for (size_t i = 0; i < *n; i++) {
		const json_t *v = json_array_get(list, i);
		if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) >= vocab) {
			free(*ids);
			*ids = NULL;
			return err_set(e, E_2003, "command: ids[%zu] is not a token id from 0 to %" PRId64, i,
				vocab - 1);
		}
		(*ids)[i] = (int32_t)json_integer_value(v);
	}
	return true;
}

/* The given tokens of prompt and feed: exactly one of text, ids, messages. */
static bool get_given(const Jobs *j, const json_t *c, bool begin, int32_t **ids, size_t *n, Err *e)
{
	const json_t *text = json_object_get(c, "text"), *list = json_object_get(c, "ids"),
		     *chat = json_object_get(c, "messages");
	if ((text != NULL) + (list != NULL) + (chat != NULL) != 1)
		return err_set(e, E_3183, "command: give one of \"text\", \"ids\" and \"messages\"");
	if (list)
		return ids_of_list(j, list, ids, n, e);
	if (chat)
		return ids_of_chat(j, c, ids, n, e);
	if (!json_is_string(text))
		return want_type("text", "a string", e);
	return encode(j, json_string_value(text), json_string_length(text), begin, ids, n, e);
}

static bool order_load(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer, (void)r;
	const char *path = NULL, *precision = NULL;
	int64_t threads = j->load.threads, layers = j->load.layers, limit = (int64_t)j->load.memory_limit;
	if (!get_str(c, "path", &path, e) || !get_str(c, "precision", &precision, e) ||
		!get_int(c, "threads", 0, 4096, &threads, e) ||
		!get_int(c, "layers", 0, 1 << 20, &layers, e) ||
		!get_int(c, "memory_limit", 0, INT64_MAX, &limit, e))
		return false;
	if (!path && !j->path)
		return want_type("path", "the path of a model", e);
	if (precision) {
		free(j->load.precision);
		j->load.precision = strdup(precision);
	}
	j->load.threads = (int)threads;
	j->load.layers = layers;
	j->load.memory_limit = (size_t)limit;
	/* jobs_load frees the path that it replaces. */
	char *copy = strdup(path ? path : j->path);
	bool ok = copy ? jobs_load(j, copy, e) : err_set(e, E_5001, "load: out of memory");
	free(copy);
	return ok;
}

static bool order_prompt(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer;
	RunOptions o = j->defaults;
	int32_t *ids = NULL;
	size_t n = 0;
	if (!need_model(j, e) || !get_run_options(c, &o, e) || !get_given(j, c, true, &ids, &n, e))
		return false;
	bool ok =
		n > 0 ? run_begin(j, ids, n, &o, e) : err_set(e, E_2003, "prompt: no tokens; give some text");
	free(ids);
	if (ok) {
		tree_begin(j);
		jout_kint(r, "run", j->run.number);
		jout_kint(r, "prompt_tokens", (int64_t)n);
	}
	return ok;
}

static bool order_continue(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer, (void)r;
	int64_t n = j->defaults.n;
	if (!need_text(j, e) || !get_int(c, "n", 1, INT32_MAX, &n, e))
		return false;
	j->run.left = j->run.finish || j->run.left == 0 ? n : j->run.left + n;
	j->run.finish = NULL;
	j->run.paused = false;
	jobs_state(j, ENGINE_DECODE);
	return true;
}

static bool order_feed(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer;
	int32_t *ids = NULL;
	size_t n = 0;
	if (!need_text(j, e) || !get_given(j, c, false, &ids, &n, e))
		return false;
	bool ok = n > 0 ? run_feed(j, ids, n, e) : err_set(e, E_2003, "feed: no tokens; give some text");
	free(ids);
	if (ok)
		jout_kint(r, "tokens", (int64_t)n);
	return ok;
}

static bool order_pause(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer, (void)c, (void)r;
	if (!need_text(j, e))
		return false;
	if (run_wants(&j->run)) {
		j->run.paused = true;
		look_idle(j);
		jobs_state(j, ENGINE_PAUSED);
	}
	return true;
}

static bool order_resume(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer, (void)c, (void)r;
	if (!need_text(j, e))
		return false;
	j->run.paused = false;
	j->run.step = -1;
	if (run_wants(&j->run))
		jobs_state(j, j->run.fed < j->run.n_pending ? ENGINE_PREFILL : ENGINE_DECODE);
	else if (j->state == ENGINE_PAUSED)
		jobs_state(j, ENGINE_IDLE);
	return true;
}

static bool order_step(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer, (void)r;
	int64_t n = 1;
	if (!need_text(j, e) || !get_int(c, "n", 1, INT32_MAX, &n, e))
		return false;
	j->run.finish = NULL;
	j->run.paused = false;
	j->run.step = n;
	/* One more than the step, so that the text is paused behind it rather than at its end. */
	if (j->run.left <= n)
		j->run.left = n + 1;
	return true;
}

static bool order_stop(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer, (void)c, (void)r, (void)e;
	run_stop(j);
	return true;
}

/* What `set` takes for all texts to come, and `prompt` for one. */
#define RUN_KEYS \
	"n temperature top_p top_k min_p seed mtp attention cache_dtype ignore_eos alternatives chunk context"

/* Is key one of the words of a list with blanks between? */
static bool key_known(const char *key, const char *keys)
{
	size_t n = strlen(key);
	if (strchr(key, ' '))
		return false;
	for (const char *at = keys; n > 0 && (at = strstr(at, key)); at += n)
		if ((at == keys || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

/* {"key":"temperature","value":0.7} is looked at as {"temperature":0.7}. */
static bool order_set(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	static const char *const live = "temperature top_p top_k min_p attention";
	const char *key = NULL;
	(void)viewer;
	json_t *value = json_object_get(c, "value");
	if (!get_str(c, "key", &key, e))
		return false;
	if (!key || !value || !key_known(key, RUN_KEYS))
		return err_set(e, E_3183, "set: needs a \"value\" and a \"key\" that is one of: " RUN_KEYS);
	json_t *one = json_object();
	json_object_set(one, key, value);
	RunOptions o = j->defaults;
	bool ok = get_run_options(one, &o, e);
	json_decref(one);
	if (!ok)
		return false;
	bool now = j->run.session && key_known(key, live);
	if (now && strcmp(key, "attention") == 0 &&
		!lathe_session_set_attention(j->run.session, o.s.attention))
		return err_set(e, E_9002, "set: this text cannot change its attention so; absorbed is for MLA");
	if (now && strcmp(key, "attention") != 0 &&
		!lathe_session_set_sampling(j->run.session, o.s.temperature, o.s.top_p, o.s.top_k, o.s.min_p))
		return err_set(e, E_9002, "set: this text cannot change its sampling now");
	j->defaults = o;
	if (now && strcmp(key, "attention") == 0 && !forms_tell(j, e))
		return false;
	jout_kstr(r, "applies", now ? "now" : "next prompt");
	return true;
}

static bool each_pattern(Jobs *j, int viewer, const json_t *list, bool watch, Err *e)
{
	if (!json_is_array(list))
		return want_type("patterns", "a list of probe names or patterns", e);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));
		if (!s)
			return want_type("patterns", "a list of probe names or patterns", e);
		if (!watch)
			hooks_unwatch(j->hooks, viewer, s);
		else if (!hooks_watch(j->hooks, viewer, s, e))
			return false;
	}
	return true;
}

static bool order_watch(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	bool ok = each_pattern(j, viewer, json_object_get(c, "patterns"), true, e);
	if (ok) {
		jout_kint(r, "watched", (int64_t)hooks_count(j->hooks));
		tensors_wanted(j);
	}
	return ok;
}

static bool order_unwatch(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	const json_t *list = json_object_get(c, "patterns");
	if (list && !each_pattern(j, viewer, list, false, e))
		return false;
	if (!list)
		hooks_unwatch(j->hooks, viewer, NULL);
	jout_kint(r, "watched", (int64_t)hooks_count(j->hooks));
	return true;
}

static bool order_look(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	int64_t tokens = 0;
	(void)viewer;
	if (!need_text(j, e) || !look_run(j, json_object_get(c, "patterns"), &tokens, e))
		return false;
	jout_kint(r, "tokens", tokens);
	return true;
}

static bool order_tensor(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	const char *name = NULL;
	TensorAsk how = { 0 };
	(void)viewer, (void)r;
	if (!need_model(j, e) || !get_str(c, "name", &name, e) || !get_bool(c, "mean", &how.mean, e) || !get_int(c, "row", 0, INT64_MAX, &how.row, e) ||
		!get_int(c, "col", 0, INT64_MAX, &how.col, e) || !get_int(c, "rows", 0, INT64_MAX, &how.rows, e) ||
		!get_int(c, "cols", 0, INT64_MAX, &how.cols, e))
		return false;
	return name && name[0] ? tensors_look(j, name, &how, e) : want_type("name", "the name of a tensor or a probe", e);
}

static bool order_compare(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	const char *word[4] = { NULL };
	static const char *const key[4] = { "precision", "form", "path", "text" };
	int given = 0;
	(void)viewer, (void)r;
	for (int i = 0; i < 4; i++) {
		if (!get_str(c, key[i], &word[i], e))
			return false;
		given += word[i] != NULL;
	}
	if (given > 1)
		return err_set(e, E_3183, "compare: give at most one of \"precision\", \"form\", \"path\" and \"text\"");
	if (!need_text(j, e) || (!j->diff && !(j->diff = calloc(1, sizeof *j->diff))))
		return e->code ? false : err_set(e, E_5001, "compare: out of memory");
	diff_ask_done(j->diff);
	char **to[4] = { &j->diff->precision, &j->diff->form, &j->diff->path, &j->diff->text };
	for (int i = 0; i < 4; i++)
		if (word[i] && !(*to[i] = strdup(word[i])))
			return err_set(e, E_5001, "compare: out of memory");
	if (diff_run(j, e))
		return true;
	diff_ask_done(j->diff);
	return false;
}

static bool order_fp8(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	const char *recipe = NULL;
	int64_t by = 0;
	(void)viewer, (void)r;
	return need_text(j, e) && get_str(c, "recipe", &recipe, e) && get_int(c, "by", -64, 64, &by, e) && fp8_choose(j, recipe, by, e) &&
		fp8_run(j, true, e);
}

static bool order_branch(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	int64_t run = 0, pos = -1, token = -1, n = j->defaults.n;
	(void)viewer;
	if (!need_text(j, e) || !get_int(c, "run", 0, INT64_MAX, &run, e) || !get_int(c, "pos", 1, INT32_MAX, &pos, e) ||
		!get_int(c, "token", 0, lathe_vocab(j->model) - 1, &token, e) || !get_int(c, "n", 0, INT32_MAX, &n, e))
		return false;
	if (pos < 0 || token < 0)
		return want_type("pos", "given, and \"token\" beside it", e);
	if (!tree_branch(j, run, pos, token, n, e))
		return false;
	jout_kint(r, "run", j->run.number);
	return true;
}

static bool order_record(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer, (void)r;
	const char *path = NULL;
	if (!get_str(c, "path", &path, e))
		return false;
	if (!path || !path[0])
		return want_type("path", "the name of a new file", e);
	bool ok = publish_record(&j->publish, path, e);
	jobs_tell(j);
	return ok;
}

static bool order_record_stop(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer, (void)c, (void)r;
	if (!j->publish.record)
		return j->publish.record_error.code
			       ? err_set(e, j->publish.record_error.code, "%s", j->publish.record_error.text)
			       : err_set(e, E_9002, "nothing is being recorded");
	bool ok = publish_record_stop(&j->publish, e);
	jobs_tell(j);
	return ok;
}

static bool order_status(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e)
{
	(void)viewer, (void)c, (void)e;
	jobs_tell(j);
	jout_kint(r, "run", j->run.number);
	jout_kint(r, "pos", j->run.pos);
	jout_kint(r, "left", j->run.left);
	return true;
}

static const struct Order {
	const char *name;
	bool (*run)(Jobs *j, int viewer, const json_t *c, Jout *r, Err *e);
	const char *keys;          /* besides id and cmd */
} orders[] = {
	{ "load", order_load, "path threads layers memory_limit precision" },
	{ "prompt", order_prompt, "text ids messages chat thinking tools add_generation_prompt " RUN_KEYS },
	{ "continue", order_continue, "n" },
	{ "feed", order_feed, "text ids messages chat thinking tools add_generation_prompt" },
	{ "pause", order_pause, "" },
	{ "resume", order_resume, "" },
	{ "step", order_step, "n" },
	{ "stop", order_stop, "" },
	{ "set", order_set, "key value" },
	{ "watch", order_watch, "patterns" },
	{ "unwatch", order_unwatch, "patterns" },
	{ "look", order_look, "patterns" },
	{ "tensor", order_tensor, "name mean row col rows cols" },
	{ "compare", order_compare, "precision form path text" },
	{ "fp8", order_fp8, "recipe by" },
	{ "branch", order_branch, "run pos token n" },
	{ "record", order_record, "path" },
	{ "record_stop", order_record_stop, "" },
	{ "status", order_status, "" },
};

static bool keys_known(const struct Order *o, const json_t *c, Err *e)
{
	for (void *at = json_object_iter((json_t *)(uintptr_t)c); at;
		at = json_object_iter_next((json_t *)(uintptr_t)c, at)) {
		const char *key = json_object_iter_key(at);
		if (strcmp(key, "id") != 0 && strcmp(key, "cmd") != 0 && !key_known(key, o->keys))
			return err_set(e, E_3183, "command %s: has no field \"%s\"%s%s", o->name, key,
				o->keys[0] ? "; it takes: " : "", o->keys);
	}
	return true;
}

bool orders_run(Jobs *j, int viewer, const json_t *command, Jout *reply, Err *e)
{
	const char *name = json_string_value(json_object_get(command, "cmd"));
	for (size_t i = 0; name && i < sizeof orders / sizeof orders[0]; i++)
		if (strcmp(orders[i].name, name) == 0)
			return keys_known(&orders[i], command, e) &&
			       orders[i].run(j, viewer, command, reply, e);
	return err_set(
		e, E_3183, "command: none is called \"%s\"; see lathe-stream(5)", name ? name : "(no cmd)");
}
