/* cmd_tokenize.c - text to token ids and back, plainly or line by line in JSON, and conversations to prompts.
 */
#include "base/utf8.h"
#include "cli/cmd.h"
#include "text/chat.h"
#include "text/tok.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_MAX = 1 << 30, OUT_CHUNK = 1 << 16 };

static const Opt opts[] = {
	{ "jsonl", 0, OPT_FLAG, NULL, "one JSON object per input line, one per output line" },
	{ "decode", 0, OPT_FLAG, NULL, "token ids on stdin, text on stdout" },
	{ "chat", 0, OPT_STR, "NAME",
		"chat format: V2, V2.5, V3, R1, V3.1, V3.2, or auto for the one tokenizer_config.json "
		"describes" },
	{ "no-bos", 0, OPT_FLAG, NULL, "never put the begin-of-sentence token in front" },
	{ 0 },
};

static const char text[] =
	"Reads standard input to its end. Plain text becomes token ids on one line, as `lathe generate "
	"--ids` takes them; the "
	"begin-of-sentence token goes in front when tokenizer_config.json has add_bos_token true. With "
	"--decode it is the other way "
	"round. With --chat the text is one user message, put into that chat format with the answer's "
	"beginning.\n\n"
	"With --jsonl each line holds one of\n\n"
	"  {\"text\": \"...\", \"add_special_tokens\": false}\n"
	"  {\"ids\": [1, 2, 3]}\n"
	"  {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}], \"add_generation_prompt\": true}\n\n"
	"and gives {\"ids\": [...], \"text\": \"...\"}. add_special_tokens is true when it is not there. A "
	"conversation may hold \"thinking\" "
	"(V3.1, V3.2) and tool calls; its format is that of --chat, by default auto.\n\n"
	"Bytes that are not UTF-8 are taken as U+FFFD. Text that looks like a special token is one.";

static const char *const examples[] = {
	"echo Hello | lathe tokenize @tiny",
	"echo 72,101 | lathe tokenize @tiny --decode",
	"echo '{\"text\":\"Hi\"}' | lathe tokenize @tiny --jsonl",
	NULL,
};

typedef struct Run {
	const Args *a;
	Err *e;
	Tok *t;
	char *config;           /* path of tokenizer_config.json */
	const ChatFamily *chat; /* found when first needed */
	Buf in, out;
} Run;

/* The tokenizer's folder or file of a CKPT: that of a weights file is the folder it lies in. */
static char *tokenizer_path(const char *ckpt)
{
	const char *end = strrchr(ckpt, '.'), *slash = strrchr(ckpt, '/');
	Buf b = BUF_INIT;
	if (!end || strcmp(end, ".safetensors") != 0)
		buf_adds(&b, ckpt);
	else if (slash)
		buf_add(&b, ckpt, (size_t)(slash - ckpt) + 1);
	else
		buf_adds(&b, ".");
	return buf_take(&b);
}

static char *config_path(const char *path)
{
	struct stat st;
	const char *slash = strrchr(path, '/');
	Buf b = BUF_INIT;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		buf_printf(&b, "%s/", path);
	else
		buf_add(&b, path, slash ? (size_t)(slash - path) + 1 : 0);
	buf_adds(&b, "tokenizer_config.json");
	return buf_take(&b);
}

static bool input_read(Buf *b, Err *e)
{
	for (;;) {
		if (b->len > INPUT_MAX)
			return err_set(e, E_5003, "standard input: more than %d bytes; cut it into parts",
				INPUT_MAX);
		if (!buf_reserve(b, OUT_CHUNK))
			return err_set(e, E_5001, "out of memory for standard input");
		ssize_t n = read(STDIN_FILENO, b->s + b->len, OUT_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "read", "standard input");
		if (n == 0)
			break;
		b->len += (size_t)n;
	}
	b->s[b->len] = '\0';
	return true;
}

static bool chat_find(Run *r)
{
	const char *name = args_str(r->a, "chat", "auto");
	if (r->chat)
		return true;
	if (strcmp(name, "auto") == 0) {
		r->chat = chat_of_config(r->config, r->e);
		return r->chat != NULL;
	}
	r->chat = chat_by_name(name);
	return r->chat ||
		err_set(r->e, E_2003,
			"--chat %.40s: not a format lathe knows; V2, V2.5, V3, R1, V3.1, V3.2 or auto", name);
}

static bool encode(Run *r, const char *s, size_t n, bool special, Ids *ids)
{
	if (special && tok_add_bos(r->t) && !args_has(r->a, "no-bos") && !ids_push(ids, tok_bos(r->t)))
		return err_set(r->e, E_5001, "out of memory for token ids");
	return tok_encode(r->t, s, n, ids, r->e);
}

/* What is finished goes out, so that a long result does not wait in memory. */
static bool out_flush(Run *r, size_t at_least)
{
	if (r->out.len < at_least && !r->out.failed)
		return true;
	bool ok = cli_out(&r->out, r->e);
	buf_clear(&r->out);
	return ok;
}

static bool answer_put(Run *r, const Ids *ids, const char *s, size_t n)
{
	Jout j;
	jout_init(&j, &r->out);
	jout_obj(&j);
	jout_key(&j, "ids");
	jout_arr(&j);
	for (size_t i = 0; i < ids->n; i++)
		jout_int(&j, ids->id[i]);
	jout_end_arr(&j);
	jout_key(&j, "text");
	jout_strn(&j, s, n);
	jout_end_obj(&j);
	buf_addc(&r->out, '\n');
	return out_flush(r, OUT_CHUNK);
}

static bool line_text(Run *r, const json_t *line, const json_t *v)
{
	const json_t *special = json_object_get(line, "add_special_tokens");
	Ids ids = { 0 };
	if (!json_is_string(v) || (special && !json_is_boolean(special)))
		return err_set(r->e, E_3138,
			"\"text\" is not a string, or \"add_special_tokens\" not true or false");
	bool ok = encode(r, json_string_value(v), json_string_length(v), !special || json_is_true(special),
			  &ids) &&
		answer_put(r, &ids, json_string_value(v), json_string_length(v));
	ids_done(&ids);
	return ok;
}

static bool line_ids(Run *r, const json_t *v)
{
	const json_t *x;
	Ids ids = { 0 };
	Buf out = BUF_INIT;
	size_t i;
	bool ok = json_is_array(v) || err_set(r->e, E_3138, "\"ids\" is not an array");
	json_array_foreach(v, i, x) {
		int64_t id = json_is_integer(x) ? json_integer_value(x) : -1;
		if (id < 0 || id > INT32_MAX)
			ok = err_set(r->e, E_3138, "\"ids\": element %zu is not a token id", i);
		else if (!ids_push(&ids, (int32_t)id))
			ok = err_set(r->e, E_5001, "out of memory for token ids");
	}
	if (ok)
		tok_decode(r->t, ids.id, ids.n, &out);
	ok = ok && answer_put(r, &ids, buf_str(&out), out.len);
	buf_done(&out);
	ids_done(&ids);
	return ok;
}

/* A conversation holds its begin-of-sentence token itself. */
static bool line_messages(Run *r, const json_t *line)
{
	Buf out = BUF_INIT;
	Ids ids = { 0 };
	bool ok = chat_find(r) && chat_render(r->chat, line, &out, r->e) &&
		encode(r, buf_str(&out), out.len, false, &ids) && answer_put(r, &ids, buf_str(&out), out.len);
	ids_done(&ids);
	buf_done(&out);
	return ok;
}

static bool line_run(Run *r, const char *s, size_t n, size_t number)
{
	char where[64];
	snprintf(where, sizeof where, "standard input, line %zu", number);
	json_t *line = json_parse_nul(s, n, where, E_3138, r->e);
	const json_t *t = json_object_get(line, "text"), *ids = json_object_get(line, "ids");
	if (!line)
		return false;
	bool ok = false;
	if (json_object_get(line, "messages"))
		ok = line_messages(r, line);
	else if (t)
		ok = line_text(r, line, t);
	else if (ids)
		ok = line_ids(r, ids);
	else
		err_set(r->e, E_3138, "neither \"text\" nor \"ids\" nor \"messages\"");
	json_decref(line);
	if (!ok && r->e->code != E_3250) /* that one is about another file */
		err_wrap(r->e, "%s", where);
	return ok;
}

static bool run_jsonl(Run *r)
{
	size_t number = 0;
	for (size_t at = 0; at < r->in.len;) {
		const char *s = r->in.s + at, *lf = memchr(s, '\n', r->in.len - at);
		size_t n = lf ? (size_t)(lf - s) : r->in.len - at;
		number++;
		at += n + 1;
		if (strspn(s, " \t\r") >= n)
			continue;
		if (!line_run(r, s, n, number)) {
			out_flush(r, 0); /* the answers before the fault stand */
			return false;
		}
	}
	return out_flush(r, 0);
}

static bool run_decode(Run *r)
{
	Buf raw = BUF_INIT;
	int32_t *id = NULL;
	size_t n = 0;
	if (strlen(buf_str(&r->in)) != r->in.len)
		return err_set(r->e, E_2003, "token ids: a NUL byte among them; give them as 1,2,3");
	if (!cli_ids(buf_str(&r->in), &id, &n, r->e))
		return false;
	tok_decode(r->t, id, n, &raw);
	free(id);
	if (isatty(STDOUT_FILENO))
		safe_text(&r->out, buf_str(&raw), raw.len, SAFE_LF | SAFE_TAB);
	else
		buf_add(&r->out, buf_str(&raw), raw.len);
	r->out.failed |= raw.failed;
	buf_done(&raw);
	return out_flush(r, 0);
}

static bool ids_print(Run *r, const Ids *ids)
{
	for (size_t i = 0; i < ids->n; i++) {
		buf_printf(&r->out, i ? ",%d" : "%d", (int)ids->id[i]);
		if (!out_flush(r, OUT_CHUNK))
			return false;
	}
	buf_addc(&r->out, '\n');
	return out_flush(r, 0);
}

/* The input as one user message. */
static bool message_render(Run *r, Buf *out)
{
	Buf lossless = BUF_INIT;
	bool ok = chat_find(r);
	for (size_t i = 0, k; i < r->in.len; i += k) { /* jansson takes only UTF-8 */
		uint32_t cp;
		char c[4];
		k = utf8_next(r->in.s + i, r->in.len - i, &cp);
		buf_add(&lossless, c, utf8_put(c, cp));
	}
	json_t *request = ok && !lossless.failed ?
		json_pack("{s:b, s:[{s:s, s:s%}]}", "add_generation_prompt", 1, "messages", "role", "user",
			"content", buf_str(&lossless), lossless.len) :
		NULL;
	if (ok && !request)
		ok = err_set(r->e, E_5001, "out of memory for a message");
	ok = ok && chat_render(r->chat, request, out, r->e);
	json_decref(request);
	buf_done(&lossless);
	return ok;
}

static bool run_plain(Run *r)
{
	Buf prompt = BUF_INIT;
	Ids ids = { 0 };
	bool chat = args_has(r->a, "chat"), ok = !chat || message_render(r, &prompt);
	const Buf *in = chat ? &prompt : &r->in;
	ok = ok && encode(r, buf_str(in), in->len, !chat, &ids);
	ok = ok &&
		(args_has(r->a, "json") ? answer_put(r, &ids, buf_str(in), in->len) && out_flush(r, 0) :
					  ids_print(r, &ids));
	ids_done(&ids);
	buf_done(&prompt);
	return ok;
}

static bool run_asked(Run *r)
{
	if (args_has(r->a, "jsonl"))
		return run_jsonl(r);
	return args_has(r->a, "decode") ? run_decode(r) : run_plain(r);
}

static int run(const Args *a, Err *e)
{
	Run r = { .a = a, .e = e, .in = BUF_INIT, .out = BUF_INIT };
	char *ckpt = cli_ckpt_path(args_at(a, 0), e), *path = ckpt ? tokenizer_path(ckpt) : NULL;
	r.config = path ? config_path(path) : NULL;
	if (ckpt && !r.config)
		err_set(e, E_5001, "out of memory for a path");
	else if (args_has(a, "jsonl") && args_has(a, "decode"))
		err_set(e, E_2003,
			"--decode and --jsonl: a line {\"ids\": [...]} is decoded without --decode");
	else if (r.config && (r.t = tok_open(path, e)) && (!args_has(a, "chat") || chat_find(&r)) &&
		input_read(&r.in, e))
		run_asked(&r);
	tok_free(r.t);
	buf_done(&r.in);
	buf_done(&r.out);
	free(r.config);
	free(path);
	free(ckpt);
	return err_exit(e);
}

const Cmd cmd_tokenize = {
	.name = "tokenize", .usage = "CKPT|TOKENIZER.json [--jsonl] [--decode] [--chat NAME|auto]",
	.summary = "turn text into token ids and back, and conversations into prompts",
	.text = text, .opts = opts, .examples = examples, .min_args = 1, .max_args = 1, .run = run,
};
