/* app_command.c - the command line: one table for running, completing and the help. */
#include "view/app_state.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What `set` takes, as in lathe-stream(5). */
#define SET_KEYS                                                                                       \
	"temperature top_p top_k min_p seed n mtp attention cache_dtype ignore_eos alternatives chunk " \
	"context"

typedef struct Command {
	const char *name, *args, *help;
	/* completions of the first argument, separated by blanks; NULL: none; "*": scenes */
	const char *words;
	void (*run)(App *a, Store *s, const char *arg);
} Command;

static bool number(App *a, const char *arg, double lo, double hi, double *out)
{
	char *end;
	*out = strtod(arg, &end);
	if (end == arg || *end || !(*out >= lo && *out <= hi)) {
		app_say(a, true, "\"%.40s\": a number from %g to %g is needed", arg, lo, hi);
		return false;
	}
	return true;
}

static void cmd_prompt(App *a, Store *s, const char *arg)
{
	(void)s;
	lineedit_set(&a->prompt, arg);
	app_run_prompt(a);
}

static void cmd_load(App *a, Store *s, const char *arg)
{
	(void)s;
	if (!*arg)
		app_say(a, true, "load needs a path or @NAME");
	else
		app_send_text(a, "load", "path", arg);
}

/* Numbers go as numbers, words as texts; the engine checks the rest. */
static void set_key(App *a, const char *key, const char *value)
{
	char *end;
	double v = strtod(value, &end);
	if (*value && !*end && isfinite(v)) {
		bool whole = strcmp(key, "temperature") && strcmp(key, "top_p") && strcmp(key, "min_p") && v == floor(v);
		if (whole)
			app_send(a, "{\"cmd\":\"set\",\"key\":\"%s\",\"value\":%lld}", key,
				(long long)fmin(fmax(v, -9e15), 9e15));
		else
			app_send(a, "{\"cmd\":\"set\",\"key\":\"%s\",\"value\":%.17g}", key, v);
		if (strcmp(key, "temperature") == 0)
			a->temperature = v;
	} else if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) {
		app_send(a, "{\"cmd\":\"set\",\"key\":\"%s\",\"value\":%s}", key, value);
	} else {
		app_send(a, "{\"cmd\":\"set\",\"key\":\"%s\",\"value\":\"%s\"}", key, value);
	}
}

static bool word_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-", s[i]))
			return false;
	return n > 0 && n < 40;
}

/* Is word one of a list separated by blanks? */
static bool word_listed(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = list; *p; p += strcspn(p, " "), p += strspn(p, " "))
		if (strcspn(p, " ") == n && strncmp(p, word, n) == 0)
			return true;
	return false;
}

static void cmd_set(App *a, Store *s, const char *arg)
{
	char key[40];
	size_t n = strcspn(arg, " =");
	const char *value = arg + n + strspn(arg + n, " =");
	(void)s;
	if (!word_plain(arg, n) || !word_plain(value, strlen(value))) {
		app_say(a, true, "set KEY VALUE, as in: set temperature 0.7");
		return;
	}
	snprintf(key, sizeof key, "%.*s", (int)n, arg);
	for (char *p = key; *p; p++)
		*p = *p == '-' ? '_' : *p;
	if (strcmp(key, "k") == 0)
		strcpy(key, "top_k");
	if (word_listed(SET_KEYS, key) || facts_training(&a->facts))
		set_key(a, key, value);
	else
		app_say(a, true, "nothing to set is called \"%s\"", key);
}

static void set_word(App *a, const char *key, const char *arg)
{
	if (word_plain(arg, strlen(arg)))
		set_key(a, key, arg);
	else
		app_say(a, true, "%s needs one word", key);
}

static void cmd_attention(App *a, Store *s, const char *arg)
{
	(void)s;
	set_word(a, "attention", arg);
}

static void cmd_mtp(App *a, Store *s, const char *arg)
{
	(void)s;
	set_word(a, "mtp", arg);
}

static void cmd_temperature(App *a, Store *s, const char *arg)
{
	double v;
	(void)s;
	if (number(a, arg, 0, 100, &v))
		set_key(a, "temperature", arg);
}

static void cmd_seed(App *a, Store *s, const char *arg)
{
	double v;
	(void)s;
	if (number(a, arg, -9e15, 9e15, &v))
		set_key(a, "seed", arg);
}

static void cmd_quit(App *a, Store *s, const char *arg)
{
	(void)s, (void)arg;
	a->quit = true;
}

static void cmd_scene(App *a, Store *s, const char *arg)
{
	Err e = { 0 };
	(void)s;
	if (!app_set_scene(a, arg, &e))
		app_say(a, true, "%s", e.text);
}

static void cmd_record(App *a, Store *s, const char *arg)
{
	(void)s;
	if (a->facts.status.recording[0] && !*arg)
		app_send(a, "{\"cmd\":\"record_stop\"}");
	else if (*arg)
		app_send_text(a, "record", "path", arg);
	else
		app_say(a, true, "record FILE; again without FILE to stop");
}

static void cmd_replay(App *a, Store *s, const char *arg)
{
	(void)s;
	if (*arg)
		app_send_ui(a, "replay", "path", arg);
	else
		app_say(a, true, "replay needs a file");
}

static void cmd_blocks(App *a, Store *s, const char *arg)
{
	(void)s, (void)arg;
	app_tensor_mean(a);
}

static void cmd_closer(App *a, Store *s, const char *arg)
{
	(void)s;
	app_tensor_zoom(a, strcmp(arg, "all") != 0);
}

/* What the text is compared with: a precision, a form of attention, "text WORDS", or a checkpoint, whose path has a '/' or begins with '@'. */
static void cmd_compare(App *a, Store *s, const char *arg)
{
	(void)s;
	if (!*arg)
		app_send(a, "{\"cmd\":\"compare\"}");
	else if (strcmp(arg, "absorbed") == 0 || strcmp(arg, "naive") == 0)
		app_send(a, "{\"cmd\":\"compare\",\"form\":\"absorbed\"}");
	else if (strncmp(arg, "text ", 5) == 0)
		app_send_text(a, "compare", "text", arg + 5);
	else if (strchr(arg, '/') || *arg == '@')
		app_send_text(a, "compare", "path", arg);
	else
		app_send_text(a, "compare", "precision", arg);
}

/* A recipe by name, the next one of the table, or the one before. */
static void cmd_fp8(App *a, Store *s, const char *arg)
{
	(void)s;
	if (!*arg)
		app_send(a, "{\"cmd\":\"fp8\"}");
	else if (strcmp(arg, "next") == 0 || strcmp(arg, "back") == 0)
		app_send(a, "{\"cmd\":\"fp8\",\"by\":%d}", *arg == 'n' ? 1 : -1);
	else
		app_send_text(a, "fp8", "recipe", arg);
}

static void cmd_branch(App *a, Store *s, const char *arg)
{
	app_branch(a, s, arg);
}

static void cmd_show(App *a, Store *s, const char *arg)
{
	app_show_run(a, s, arg);
}

static void cmd_answer(App *a, Store *s, const char *arg)
{
	app_answer(a, s, arg);
}

static void cmd_beside(App *a, Store *s, const char *arg)
{
	(void)s;
	if (*arg)
		app_send_ui(a, "beside", "path", arg);
	else
		app_say(a, true, "beside needs the recording of a training run: DIR/train.rec");
}

static void cmd_export(App *a, Store *s, const char *arg)
{
	const char *dot = strrchr(arg, '.');
	Buf b = BUF_INIT;
	Err e = { 0 };
	if (!dot || dot == arg || !dot[1]) {
		app_say(a, true, "export FILE.svg, .png, .txt, .ansi, .csv or .json");
		return;
	}
	if (app_export(a, s, strcmp(dot + 1, "txt") == 0 ? "text" : dot + 1, a->grid_w, a->grid_h, &b, &e)) {
		FILE *f = fopen(arg, "wx");
		bool ok = f && fwrite(buf_str(&b), 1, b.len, f) == b.len;
		if (f && fclose(f) != 0)
			ok = false;
		app_say(a, !ok, ok ? "%s written" : "%s: %s", arg, ok ? "" : strerror(errno));
	} else {
		app_say(a, true, "%s", e.text);
	}
	buf_done(&b);
}

static void cmd_theme(App *a, Store *s, const char *arg)
{
	(void)s;
	if (!app_set_theme(a, arg))
		app_say(a, true, "theme dark, light or mono");
}

static void cmd_ascii(App *a, Store *s, const char *arg)
{
	(void)s;
	app_set_ascii(a, strcmp(arg, "off") != 0 && (strcmp(arg, "on") == 0 || !a->ascii));
}

static void go(App *a, const char *arg, int64_t *field)
{
	double v;
	if (number(a, arg, 0, 1e9, &v))
		*field = (int64_t)v;
}

static void cmd_layer(App *a, Store *s, const char *arg)
{
	(void)s;
	go(a, arg, &a->sel.layer);
	a->sel.product = a->sel.product ? a->sel.product : -1;
}

static void cmd_token(App *a, Store *s, const char *arg)
{
	(void)s;
	go(a, arg, &a->sel.token);
	a->sel.follow = false;
}

static void cmd_expert(App *a, Store *s, const char *arg)
{
	(void)s;
	go(a, arg, &a->sel.expert);
}

static void cmd_context(App *a, Store *s, const char *arg)
{
	double v;
	(void)s;
	if (number(a, arg, 1, 1 << 24, &v))
		a->sel.context = (int64_t)v;
}

static void cmd_more(App *a, Store *s, const char *arg)
{
	double v = (double)a->n_more;
	(void)s;
	if (*arg && !number(a, arg, 1, 1e6, &v))
		return;
	a->n_more = (int64_t)v;
	app_send(a, "{\"cmd\":\"continue\",\"n\":%lld}", (long long)a->n_more);
	app_say_ended(a);
}

static void cmd_find(App *a, Store *s, const char *arg)
{
	(void)s;
	lineedit_set(&a->search, arg);
	lineedit_accept(&a->search);
	if (!app_find(a, arg, 1))
		app_say(a, true, "not found: %s", arg);
}

static void cmd_look(App *a, Store *s, const char *arg)
{
	(void)s, (void)arg;
	app_look_again(a);
}

static void cmd_head(App *a, Store *s, const char *arg)
{
	double by;
	(void)s;
	if (*arg != '+' && *arg != '-')
		go(a, arg, &a->sel.head);
	else if (number(a, arg, -1e6, 1e6, &by))
		app_move(a, AXIS_HEAD, (int)by);
}

static void cmd_pause(App *a, Store *s, const char *arg)
{
	(void)s, (void)arg;
	app_send(a, "{\"cmd\":\"pause\"}");
}

static void cmd_resume(App *a, Store *s, const char *arg)
{
	(void)s, (void)arg;
	app_send(a, "{\"cmd\":\"resume\"}");
}

static void cmd_stop(App *a, Store *s, const char *arg)
{
	(void)s, (void)arg;
	app_send(a, "{\"cmd\":\"stop\"}");
}

static void cmd_help(App *a, Store *s, const char *arg)
{
	(void)s, (void)arg;
	a->mode = MODE_HELP;
	a->help_scroll = 0;
}

static void cmd_messages(App *a, Store *s, const char *arg)
{
	(void)s, (void)arg;
	a->mode = MODE_MESSAGES;
	a->help_scroll = 0;
}

static void cmd_mouse(App *a, Store *s, const char *arg)
{
	(void)s;
	app_send_mouse(a, strcmp(arg, "off") != 0);
}

static const Command command_table[] = {
	{ "prompt", "TEXT", "run this prompt", NULL, cmd_prompt },
	{ "more", "[N]", "N tokens more", NULL, cmd_more },
	{ "pause", "", "pause the text", NULL, cmd_pause },
	{ "resume", "", "go on", NULL, cmd_resume },
	{ "stop", "", "stop the text", NULL, cmd_stop },
	{ "load", "PATH", "open a model: a folder, a file, @NAME", NULL, cmd_load },
	{ "set", "KEY VALUE", "temperature, top_p, top_k, min_p, seed, n, mtp, attention ...", SET_KEYS,
	  cmd_set },
	{ "temperature", "T", "0 is greedy", NULL, cmd_temperature },
	{ "seed", "N", "of the samples", NULL, cmd_seed },
	{ "attention", "naive|absorbed|auto", "how MLA is computed", "naive absorbed auto", cmd_attention },
	{ "mtp", "on|off|auto", "draft with MTP", "on off auto", cmd_mtp },
	{ "scene", "NAME", "go to a scene", "*", cmd_scene },
	{ "layer", "N", "select a layer", NULL, cmd_layer },
	{ "token", "N", "select a position", NULL, cmd_token },
	{ "expert", "N", "select an expert", NULL, cmd_expert },
	{ "head", "N", "select a head; +1, -1 move by one", NULL, cmd_head },
	{ "look", "", "read the text again for this scene", NULL, cmd_look },
	{ "context", "N", "positions, for the Cache scene", NULL, cmd_context },
	{ "find", "TEXT", "the next token with this text", NULL, cmd_find },
	{ "record", "[FILE]", "record the stream; without FILE: stop", NULL, cmd_record },
	{ "branch", "[N]", "go on from the selected token with the N-th alternative (or that under the cursor)", NULL, cmd_branch },
	{ "show", "[RUN]", "show a branch of the text (or that under the cursor)", NULL, cmd_show },
	{ "answer", "WHICH", "select an answer of the group: best, worst, longest, surprising, or its number", "best worst longest surprising",
	  cmd_answer },
	{ "compare", "PRECISION|absorbed|PATH|text WORDS", "what the diff scene compares with", "bf16 absorbed text", cmd_compare },
	{ "fp8", "[RECIPE|next|back]", "which precision recipe the fp8 scene shows", "next back fp8-v3 fp8-e5m2 mxfp8 nvfp4", cmd_fp8 },
	{ "closer", "[all]", "the picture of a tensor around its cursor; all of it again", "all", cmd_closer },
	{ "blocks", "", "pictures of tensors: largest of each block, or means", NULL, cmd_blocks },
	{ "beside", "FILE", "losses of another run (its train.rec) beside these", NULL, cmd_beside },
	{ "replay", "FILE", "show a recording", NULL, cmd_replay },
	{ "export", "FILE", "picture or data: .svg .png .txt .ansi .csv .json", NULL, cmd_export },
	{ "theme", "dark|light|mono", "colours", "dark light mono", cmd_theme },
	{ "ascii", "[on|off]", "plain characters only", "on off", cmd_ascii },
	{ "mouse", "on|off", "off: the terminal selects text", "on off", cmd_mouse },
	{ "messages", "", "the last messages and the read-out, whole", NULL, cmd_messages },
	{ "help", "", "keys and commands", NULL, cmd_help },
	{ "quit", "", "leave, also :q", NULL, cmd_quit },
};
enum { COMMANDS = sizeof command_table / sizeof *command_table };

int app_command_help(int i, const char **name, const char **args, const char **help)
{
	if (i < 0 || i >= COMMANDS)
		return 0;
	*name = command_table[i].name;
	*args = command_table[i].args;
	*help = command_table[i].help;
	return 1;
}

/* The command of this name, or the only one that begins so. */
static const Command *command_find(const char *s, size_t n)
{
	const Command *only = NULL;
	if (n == 1 && *s == 'q')
		s = "quit", n = 4;
	for (int i = 0; i < COMMANDS; i++) {
		const Command *c = &command_table[i];
		if (strncmp(c->name, s, n) != 0)
			continue;
		if (strlen(c->name) == n)
			return c;
		if (only)
			return NULL;
		only = c;
	}
	return n ? only : NULL;
}

void app_run_command(App *a, Store *s, const char *line)
{
	line += strspn(line, " :");
	size_t n = strcspn(line, " ");
	const char *begin = line + n + strspn(line + n, " ");
	size_t len = strlen(begin);
	while (len > 0 && begin[len - 1] == ' ')
		len--;
	char *arg = strndup(begin, len);
	if (n == 0 || !arg) {
		free(arg);
		return;
	}
	const Command *c = command_find(line, n);
	a->dirty = true;
	if (!c)
		app_say(a, true, "no command \"%.*s\"; :help lists them", n > 40 ? 40 : (int)n, line);
	else
		c->run(a, s, arg);
	free(arg);
}

/* --- completion: as far as all candidates agree; a list of them when there are several --- */

typedef struct Match { Buf common, list; int n; size_t typed; const char *prefix; } Match;

static void match_add(Match *m, const char *s, size_t n)
{
	if (n < m->typed || strncmp(s, m->prefix, m->typed) != 0)
		return;
	if (m->n++ == 0) {
		buf_add(&m->common, s, n);
	} else {
		size_t k = 0;
		while (k < n && k < m->common.len && m->common.s[k] == s[k])
			k++;
		m->common.len = k;
		m->common.s[k] = 0;
	}
	buf_printf(&m->list, "%s%.*s", m->list.len ? "  " : "", (int)n, s);
}

static void match_words(App *a, Match *m, const Command *c)
{
	for (int i = 0; c->words && *c->words == '*' && app_scene_at(a, i); i++)
		match_add(m, app_scene_at(a, i), strlen(app_scene_at(a, i)));
	for (const char *p = c->words && *c->words != '*' ? c->words : ""; *p;) {
		size_t n = strcspn(p, " ");
		match_add(m, p, n);
		p += n + strspn(p + n, " ");
	}
}

void app_complete(App *a)
{
	const char *line = buf_str(&a->command.text), *blank = strchr(line, ' ');
	Match m = { BUF_INIT, BUF_INIT, 0, 0, line };
	if (a->command.cur != a->command.text.len)
		return;
	if (blank) {
		const Command *c = command_find(line, (size_t)(blank - line));
		m.prefix = blank + strspn(blank, " ");
		m.typed = strlen(m.prefix);
		if (c && !strchr(m.prefix, ' '))
			match_words(a, &m, c);
	} else {
		m.typed = strlen(line);
		for (int i = 0; i < COMMANDS; i++)
			match_add(&m, command_table[i].name, strlen(command_table[i].name));
	}
	if (m.n > 0 && m.common.len > m.typed) {
		Buf rest = BUF_INIT;
		buf_adds(&rest, m.common.s + m.typed);
		lineedit_insert(&a->command, buf_str(&rest), rest.len);
		buf_done(&rest);
	}
	if (m.n == 1)
		lineedit_insert(&a->command, " ", 1);
	else if (m.n > 1)
		app_say(a, false, "%s", buf_str(&m.list));
	buf_done(&m.common);
	buf_done(&m.list);
}
