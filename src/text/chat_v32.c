/* chat_v32.c - the chat format of V3.2, which was released as a script, not as a template: answers follow the
 * user's turn at once, tool calls are an XML-like block with the marker DSML, reasoning is kept only behind
 * the last user message. */
#include "text/chat_parts.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DSML "｜DSML｜"

/* A string as Python's json.dumps(ensure_ascii=False) has it. */
static void string_put(Buf *out, const char *s, size_t n)
{
	static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
	buf_addc(out, '"');
	for (size_t i = 0; i < n; i++) {
		const char *k = s[i] ? strchr(from, s[i]) : NULL;
		if (k) {
			buf_addc(out, '\\');
			buf_addc(out, to[k - from]);
		} else if ((unsigned char)s[i] < 0x20) {
			buf_printf(out, "\\u%04x", (unsigned)(unsigned char)s[i]);
		} else {
			buf_addc(out, s[i]);
		}
	}
	buf_addc(out, '"');
}

/* The shortest digits that read back, placed as Python's repr does: 0.5, 100.0, 1e-05, 1e+16. */
static void real_put(Buf *out, double v)
{
	char s[40], digits[24];
	int p = 0, n = 0;
	do
		snprintf(s, sizeof s, "%.*e", p, v);
	while (strtod(s, NULL) != v && ++p < 17);
	char *mark = strchr(s, 'e');
	int exponent = mark ? atoi(mark + 1) : 0;
	for (const char *c = s; c < mark; c++)
		if (*c >= '0' && *c <= '9' && n < 20)
			digits[n++] = *c;
	if (signbit(v))
		buf_addc(out, '-');
	if (exponent < -4 || exponent >= 16) {
		buf_printf(out, n > 1 ? "%c.%.*se%c%02d" : "%c%.*se%c%02d", digits[0], n - 1, digits + 1,
			exponent < 0 ? '-' : '+', abs(exponent));
		return;
	}
	for (int i = exponent < 0 ? exponent : 0; i < n || i <= exponent + 1; i++) {
		if (i == exponent + 1)
			buf_addc(out, '.');
		buf_addc(out, i >= 0 && i < n ? digits[i] : '0');
	}
}

static void value_put(Buf *out, const json_t *v);

static void object_put(Buf *out, const json_t *v)
{
	bool first = true;
	json_t *o = json_incref((json_t *)(uintptr_t)v); /* iterators want it writable; nothing is written */
	buf_addc(out, '{');
	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		const char *key = json_object_iter_key(it);
		if (!first)
			buf_adds(out, ", ");
		first = false;
		string_put(out, key, strlen(key));
		buf_adds(out, ": ");
		value_put(out, json_object_iter_value(it));
	}
	buf_addc(out, '}');
	json_decref(o);
}

static void array_put(Buf *out, const json_t *v)
{
	const json_t *x;
	size_t i;
	buf_addc(out, '[');
	json_array_foreach(v, i, x) {
		if (i)
			buf_adds(out, ", ");
		value_put(out, x);
	}
	buf_addc(out, ']');
}

/* At most JSON_DEPTH deep: the value came through json_parse. */
static void value_put(Buf *out, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		object_put(out, v);
		break;
	case JSON_ARRAY:
		array_put(out, v);
		break;
	case JSON_STRING:
		string_put(out, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		buf_printf(out, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_REAL:
		real_put(out, json_real_value(v));
		break;
	case JSON_TRUE: case JSON_FALSE:
		buf_adds(out, json_is_true(v) ? "true" : "false");
		break;
	case JSON_NULL:
		buf_adds(out, "null");
		break;
	}
}

/* One line for each argument: text as it is, anything else as JSON. */
static void parameters_put(Buf *out, json_t *arguments)
{
	const char *gap = "";
	for (void *it = json_object_iter(arguments); it; it = json_object_iter_next(arguments, it)) {
		const json_t *v = json_object_iter_value(it);
		buf_printf(out, "%s<" DSML "parameter name=\"%s\" string=\"%s\">", gap,
			json_object_iter_key(it), json_is_string(v) ? "true" : "false");
		if (json_is_string(v))
			buf_add(out, json_string_value(v), json_string_length(v));
		else
			value_put(out, v);
		buf_adds(out, "</" DSML "parameter>");
		gap = "\n";
	}
}

/* The arguments of a call: an object, or a string that holds one. A new reference. */
static json_t *arguments_read(const Render *r, const json_t *function)
{
	json_t *v = json_object_get(function, "arguments");
	if (json_is_string(v))
		v = json_parse_nul(
			json_string_value(v), json_string_length(v), "tool call: arguments", E_3251, r->e);
	else
		json_incref(v);
	if (json_is_object(v))
		return v;
	json_decref(v);
	chat_fail(r, "a tool call's \"arguments\" are not a JSON object");
	return NULL;
}

static bool call_put(Render *r, const json_t *call)
{
	const json_t *f = json_object_get(call, "function");
	buf_adds(r->out, "<" DSML "invoke name=\"");
	if (!chat_put(r, f, "name"))
		return false;
	json_t *arguments = arguments_read(r, f);
	if (!arguments)
		return false;
	buf_adds(r->out, "\">\n");
	parameters_put(r->out, arguments);
	buf_adds(r->out, "\n</" DSML "invoke>\n");
	json_decref(arguments);
	return true;
}

/* Content or reasoning that may be absent or null. */
static bool optional_put(Render *r, const json_t *m, const char *key)
{
	const json_t *v = json_object_get(m, key);
	return !v || json_is_null(v) || chat_put(r, m, key);
}

static bool is_set(const json_t *m, const char *key)
{
	return json_string_length(json_object_get(m, key)) > 0;
}

static bool assistant_put(Render *r, const json_t *m, size_t last_user)
{
	const json_t *calls, *call;
	size_t i;
	bool behind = last_user == SIZE_MAX || r->i > last_user;
	if (!chat_calls(r, m, &calls))
		return false;
	if (json_array_size(calls) == 0)
		calls = NULL;
	if (r->thinking && behind) {
		if (!is_set(m, "reasoning_content") && !calls)
			return chat_fail(r,
				"with thinking, an answer behind the last user message needs "
				"\"reasoning_content\" or \"tool_calls\"");
		if (!optional_put(r, m, "reasoning_content"))
			return false;
		buf_adds(r->out, "</think>");
	}
	if (!optional_put(r, m, "content"))
		return false;
	if (calls)
		buf_adds(r->out, "\n\n<" DSML "function_calls>\n");
	json_array_foreach(calls, i, call)
		if (!call_put(r, call))
			return false;
	if (calls)
		buf_adds(r->out, "</" DSML "function_calls>");
	buf_adds(r->out, CHAT_EOS);
	return true;
}

static bool result_put(Render *r, const json_t *m, size_t last_user)
{
	const json_t *before = NULL, *calls = NULL;
	size_t order = 0;
	while (order < r->i && (order == 0 || chat_is(before, "tool")))
		before = json_array_get(r->messages, r->i - ++order);
	if (!before || !chat_is(before, "assistant") || !chat_calls(r, before, &calls) ||
		json_array_size(calls) < order)
		return chat_fail(r, "a tool result without a call that it answers");
	if (order == 1)
		buf_adds(r->out, "\n\n<function_results>");
	buf_adds(r->out, "\n<result>");
	if (!chat_put(r, m, "content"))
		return false;
	buf_adds(r->out, "</result>");
	if (order == json_array_size(calls))
		buf_adds(r->out, r->thinking && (last_user == SIZE_MAX || r->i >= last_user) ?
			"\n</function_results>\n\n<think>" : "\n</function_results>\n\n</think>");
	return true;
}

static bool message_put(Render *r, const json_t *m, size_t last_user)
{
	if (json_array_size(json_object_get(m, "tools")) > 0 ||
		json_object_size(json_object_get(m, "response_format")) > 0)
		return chat_fail(r,
			"V3.2: \"tools\" and \"response_format\" are not rendered by lathe; describe them in "
			"a system message");
	if (chat_is(m, "system"))
		return optional_put(r, m, "content");
	if (chat_is(m, "assistant"))
		return assistant_put(r, m, last_user);
	if (chat_is(m, "tool"))
		return result_put(r, m, last_user);
	if (!chat_is(m, "user"))
		return chat_fail(r, "V3.2: a role other than system, user, assistant and tool");
	buf_adds(r->out, CHAT_USER);
	if (!chat_put(r, m, "content"))
		return false;
	buf_adds(r->out,
		r->thinking && r->i == last_user ? CHAT_ASSISTANT "<think>" : CHAT_ASSISTANT "</think>");
	return true;
}

/* A user's turn always ends in the assistant's mark, so that add_generation_prompt has nothing to add. */
bool chat_render_v32(Render *r)
{
	size_t last_user = SIZE_MAX;
	const json_t *m, *tools = json_object_get(r->request, "tools");
	if (json_array_size(tools) > 0)
		return err_set(r->e, E_3251,
			"conversation: V3.2: \"tools\" are not rendered by lathe; describe them in a system "
			"message");
	json_array_foreach(r->messages, r->i, m)
		if (chat_is(m, "user"))
			last_user = r->i;
	buf_adds(r->out, CHAT_BOS);
	json_array_foreach(r->messages, r->i, m)
		if (!message_put(r, m, last_user))
			return false;
	return true;
}
