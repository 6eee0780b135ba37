/* app_keys.c - keys: one table that both runs them and makes the help. */
#include "view/app_state.h"
#include "base/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Bind {
	Key key;
	const char *keys;          /* as the help writes them; NULL: said by the row above */
	const char *help, *group;
	void (*run)(App *a, Store *s, int arg);
	int arg;
} Bind;

static void do_focus(App *a, Store *s, int by)
{
	(void)s;
	app_focus_next(a, by);
}

static void do_across(App *a, Store *s, int by)
{
	(void)s;
	app_move_focus(a, by, 0);
}

static void do_down(App *a, Store *s, int by)
{
	(void)s;
	app_move_focus(a, 0, by);
}

static void do_layer(App *a, Store *s, int by)
{
	(void)s;
	app_move(a, AXIS_LAYER, by);
}

enum { ALL_THE_WAY = 1 << 28 };

/* End is the newest token there is: it also leaves the past. */
static void do_token(App *a, Store *s, int by)
{
	if (by == ALL_THE_WAY && !isinf(a->scrub))
		app_scrub(a, s, 100);
	app_move(a, AXIS_TOKEN, by);
}

static void do_numbers(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	app_pane_state(a)->numbers ^= true;
}

static void do_log(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	app_pane_state(a)->log ^= true;
	app_say(a, false, app_pane_state(a)->log ? "log scale" : "linear scale");
}

static void do_glyphs(App *a, Store *s, int arg)
{
	static const char *const name[] = { "half-blocks", "shades", "ASCII" };
	(void)s, (void)arg;
	a->glyphs = a->ascii ? GLYPHS_ASCII : (Glyphs)((a->glyphs + 1) % 3);
	app_say(a, false, "glyphs: %s", name[a->glyphs]);
}

static void do_color(App *a, Store *s, int arg)
{
	static const char *const name[] = { "given and generated", "entropy", "probability", "drafts of MTP" },
				 *const answer[] = { "advantage", "entropy", "probability", "ratio to the reference" };
	(void)s, (void)arg;
	a->color_by = (a->color_by + 1) % 4;
	app_say(a, false, "text by %s", (app_pane_of(a, "answer") >= 0 ? answer : name)[a->color_by]);
}

static void do_zoom(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	app_current(a)->zoom ^= true;
}

static void do_copy(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	if (!a->readout[0])
		return;
	app_send_ui(a, "copy", "text", a->readout);
	app_say(a, false, "copied: %s", a->readout);
}

static void do_prompt(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	if (a->replay)
		app_say(a, true, "this is a recording: prompts need an engine");
	else
		a->mode = MODE_PROMPT;
}

static void do_command(App *a, Store *s, int arg)
{
	(void)s;
	a->mode = MODE_COMMAND;
	lineedit_set(&a->command, "");
	if (arg == 'e') {
		lineedit_set(&a->command, "export ");
		lineedit_insert(&a->command, app_scene(a), strlen(app_scene(a)));
		lineedit_insert(&a->command, ".svg", 4);
	} else if (arg == 'L') {
		lineedit_set(&a->command, "load ");
	}
}

static void do_search(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	a->mode = MODE_SEARCH;
	lineedit_set(&a->search, app_has_tensors(a) ? a->filter : "");
}

static void do_again(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	if (a->search.n_history && !app_find(a, a->search.history[a->search.n_history - 1], 1))
		app_say(a, true, "not found");
}

static void do_help(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	a->mode = MODE_HELP;
	a->help_scroll = 0;
}

static void do_pause(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	app_send(a, "{\"cmd\":\"%s\"}", strcmp(a->facts.status.state, "paused") == 0 ? "resume" : "pause");
}

static void do_step(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	a->sel.follow = true;
	app_send(a, "{\"cmd\":\"step\"}");
	app_say_ended(a);
}

static void do_more(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	a->sel.follow = true;
	app_send(a, "{\"cmd\":\"continue\",\"n\":%lld}", (long long)a->n_more);
	app_say_ended(a);
}

static void do_stop(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	if (facts_training(&a->facts) && !a->replay)
		app_say(a, false, "the run goes on: q leaves it, :stop saves and ends it");
	else if (facts_busy(&a->facts))
		app_send(a, "{\"cmd\":\"stop\"}");
	else
		app_say(a, false, "q quits");
}

static void do_record(App *a, Store *s, int arg)
{
	(void)arg;
	app_run_command(a, s, a->facts.status.recording[0] ? "record" : "record lathe.rec");
}

static void do_scrub(App *a, Store *s, int by)
{
	app_scrub(a, s, by);
}

static void do_restart(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	if (a->replay)
		app_say(a, true, "this is a recording: no engine to start");
	else
		app_send_ui(a, "restart", NULL, NULL);
}

static void do_suspend(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	app_send_ui(a, "suspend", NULL, NULL);
}

static void do_quit(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	if (!a->replay && a->engine_alive && (facts_busy(&a->facts) || a->facts.status.recording[0]))
		a->mode = MODE_QUIT;
	else
		a->quit = true;
}

static void do_redraw(App *a, Store *s, int arg)
{
	(void)s, (void)arg;
	a->dirty = true;
}

#define CHAR(c) { AK_CHAR, c, 0, 0, 0, 0 }
#define CTRL(c) { AK_CHAR, c, MOD_CTRL, 0, 0, 0 }
#define CODE(c) { c, 0, 0, 0, 0, 0 }
static const Bind bind_table[] = {
	{ CODE(AK_ENTER), "Enter i", "write a prompt; Enter runs it, Esc leaves", "text", do_prompt, 0 },
	{ CHAR('i'), NULL, NULL, "text", do_prompt, 0 },
	{ CHAR(' '), "Space", "pause or go on", "text", do_pause, 0 },
	{ CHAR('s'), "s", "one token more, then pause", "text", do_step, 0 },
	{ CHAR('n'), "n", "some tokens more (:more N)", "text", do_more, 0 },
	{ CTRL('c'), "Ctrl-C", "stop the text", "text", do_stop, 0 },
	{ CHAR('r'), "r", "record to lathe.rec, or stop recording", "text", do_record, 0 },
	{ CHAR('['), "[ ]", "back and forth through what was", "text", do_scrub, -1 },
	{ CHAR(']'), NULL, NULL, "text", do_scrub, 1 },
	{ CODE(AK_UP), "arrows j k", "move the selection in this pane", "selection", do_down, -1 },
	{ CODE(AK_DOWN), NULL, NULL, "selection", do_down, 1 },
	{ CODE(AK_LEFT), NULL, NULL, "selection", do_across, -1 },
	{ CODE(AK_RIGHT), NULL, NULL, "selection", do_across, 1 },
	{ CHAR('k'), NULL, NULL, "selection", do_down, -1 },
	{ CHAR('j'), NULL, NULL, "selection", do_down, 1 },
	{ CODE(AK_PGUP), "PgUp PgDn", "move by ten", "selection", do_down, -10 },
	{ CODE(AK_PGDN), NULL, NULL, "selection", do_down, 10 },
	{ CHAR('-'), "- +", "layer", "selection", do_layer, -1 },
	{ CHAR('+'), NULL, NULL, "selection", do_layer, 1 },
	{ CHAR('='), NULL, NULL, "selection", do_layer, 1 },
	{ CHAR(','), ", .", "token before, token after", "selection", do_token, -1 },
	{ CHAR('.'), NULL, NULL, "selection", do_token, 1 },
	{ CODE(AK_HOME), "Home End", "first token, newest token (and follow, live)", "selection", do_token,
	  -ALL_THE_WAY },
	{ CODE(AK_END), NULL, NULL, "selection", do_token, ALL_THE_WAY },
	{ CHAR('/'), "/ N", "find a token by its text, find again", "selection", do_search, 0 },
	{ CHAR('N'), NULL, NULL, "selection", do_again, 0 },
	{ CODE(AK_TAB), "Tab S-Tab", "next pane, pane before", "view", do_focus, 1 },
	{ CODE(AK_BACKTAB), NULL, NULL, "view", do_focus, -1 },
	{ CHAR('z'), "z", "this pane alone, or all", "view", do_zoom, 0 },
	{ CHAR('#'), "#", "numbers or colours", "view", do_numbers, 0 },
	{ CHAR('g'), "g", "glyphs: half-blocks, shades, ASCII", "view", do_glyphs, 0 },
	{ CHAR('l'), "l", "log or linear scale", "view", do_log, 0 },
	{ CHAR('c'), "c", "colour of the text: origin, entropy, probability, drafts", "view", do_color, 0 },
	{ CHAR('y'), "y", "copy the line that is read out", "view", do_copy, 0 },
	{ CHAR('e'), "e", "export the picture or its data", "view", do_command, 'e' },
	{ CTRL('l'), "Ctrl-L", "draw everything anew", "view", do_redraw, 0 },
	{ CHAR(':'), ":", "command; Tab completes, Up recalls", "program", do_command, 0 },
	{ CHAR('o'), "o", "open a model", "program", do_command, 'L' },
	{ CHAR('?'), "? F1", "these keys", "program", do_help, 0 },
	{ CODE(AK_F1), NULL, NULL, "program", do_help, 0 },
	{ CHAR('R'), "R", "start the engine again", "program", do_restart, 0 },
	{ CTRL('z'), "Ctrl-Z", "suspend; the engine goes on", "program", do_suspend, 0 },
	{ CHAR('q'), "q", "quit", "program", do_quit, 0 },
};
enum { BINDS = sizeof bind_table / sizeof *bind_table };

bool app_key_doc(int i, KeyDoc *out)
{
	int seen = 0;
	for (int b = 0; b < BINDS; b++)
		if (bind_table[b].keys && seen++ == i) {
			*out = (KeyDoc){ bind_table[b].keys, bind_table[b].help, bind_table[b].group };
			return true;
		}
	*out = i == seen ? (KeyDoc){ "1 ... 9 0", "scene; also F2 to F12", "program" }
			 : (KeyDoc){ "mouse", "click selects, wheel moves", "program" };
	return i <= seen + 1;
}

static bool key_same(Key a, Key b)
{
	unsigned mods = MOD_CTRL | MOD_ALT;
	return a.code == b.code && (a.code != AK_CHAR || a.cp == b.cp) && (a.mods & mods) == (b.mods & mods);
}

/* Keys that the scene's file adds come before ours. */
static bool scene_key(App *a, Store *s, Key k)
{
	const SceneDef *d = app_current(a)->def;
	for (int i = 0; d && i < d->n_keys; i++) {
		Key want;
		if (key_parse(d->key[i].key, &want) == 0 || !key_same(k, want))
			continue;
		SceneNode none = { .view = "" };
		Look l = app_look(a, s, &none, 0);
		app_run_command(a, s, look_expand(&l, d->key[i].command));
		return true;
	}
	return false;
}

static bool digit_key(App *a, Key k)
{
	int i = -1;
	if (k.code == AK_CHAR && !k.mods && k.cp >= '0' && k.cp <= '9')
		i = k.cp == '0' ? 9 : (int)(k.cp - '1');
	else if (k.code >= AK_F2 && k.code <= AK_F12)
		i = (int)(k.code - AK_F2);
	if (i < 0)
		return false;
	a->chosen = true;
	if (i < a->n_scenes)
		a->now = i;
	return true;
}

static bool panes_key(App *a, Store *s, Key k)
{
	if (k.code >= AK_PRESS)
		return k.code != AK_RELEASE && app_click(a, k);
	if (scene_key(a, s, k) || digit_key(a, k))
		return true;
	for (int b = 0; b < BINDS; b++)
		if (key_same(k, bind_table[b].key)) {
			bind_table[b].run(a, s, bind_table[b].arg);
			return true;
		}
	return false;
}

static bool is_leave(Key k)
{
	return k.code == AK_ESC || (k.code == AK_CHAR && k.mods & MOD_CTRL && (k.cp == 'c' || k.cp == 'g'));
}

static bool prompt_key(App *a, Key k)
{
	if (is_leave(k)) {
		a->mode = MODE_PANES;
	} else if (k.code == AK_ENTER && k.mods & MOD_ALT) {
		lineedit_insert(&a->prompt, "\n", 1);
	} else if (k.code == AK_ENTER) {
		a->mode = MODE_PANES;
		app_run_prompt(a);
	} else {
		return lineedit_key(&a->prompt, k);
	}
	return true;
}

static bool command_key(App *a, Store *s, Key k)
{
	if (is_leave(k) || (k.code == AK_BACKSPACE && a->command.text.len == 0)) {
		a->mode = MODE_PANES;
	} else if (k.code == AK_TAB) {
		app_complete(a);
	} else if (k.code == AK_ENTER) {
		char *line = strdup(buf_str(&a->command.text));
		a->mode = MODE_PANES;
		lineedit_accept(&a->command);
		if (line)
			app_run_command(a, s, line);
		free(line);
	} else {
		return lineedit_key(&a->command, k);
	}
	return true;
}

/* In the tree of tensors / filters, with each key. */
static bool filter_key(App *a, Key k)
{
	if (is_leave(k)) {
		app_filter(a, "");
		a->mode = MODE_PANES;
	} else if (k.code == AK_ENTER || (k.code == AK_BACKSPACE && a->search.text.len == 0)) {
		a->mode = MODE_PANES;
	} else if (lineedit_key(&a->search, k)) {
		app_filter(a, buf_str(&a->search.text));
	} else {
		return false;
	}
	return true;
}

static bool search_key(App *a, Key k)
{
	if (app_has_tensors(a))
		return filter_key(a, k);
	if (is_leave(k) || (k.code == AK_BACKSPACE && a->search.text.len == 0)) {
		a->mode = MODE_PANES;
	} else if (k.code == AK_ENTER) {
		a->mode = MODE_PANES;
		if (!app_find(a, buf_str(&a->search.text), 1))
			app_say(a, true, "not found: %s", buf_str(&a->search.text));
		lineedit_accept(&a->search);
	} else {
		return lineedit_key(&a->search, k);
	}
	return true;
}

static bool help_key(App *a, Key k)
{
	bool down = k.code == AK_DOWN || k.code == AK_WHEEL_DOWN || (k.code == AK_CHAR && k.cp == 'j');
	bool up = k.code == AK_UP || k.code == AK_WHEEL_UP || (k.code == AK_CHAR && k.cp == 'k');
	if (down || up)
		a->help_scroll += down ? 1 : -1;
	else if (k.code == AK_PGDN || k.code == AK_PGUP || (k.code == AK_CHAR && k.cp == ' '))
		a->help_scroll += k.code == AK_PGUP ? -10 : 10;
	else if (k.code < AK_PRESS)
		a->mode = MODE_PANES;
	return true;
}

static bool quit_key(App *a, Key k)
{
	bool yes = k.code == AK_ENTER ||
		(k.code == AK_CHAR &&
			(k.cp == 'y' || k.cp == 'Y' || k.cp == 'q' || (k.cp == 'c' && k.mods & MOD_CTRL)));
	if (k.code >= AK_PRESS)
		return false;
	a->quit = yes;
	a->mode = MODE_PANES;
	return true;
}

bool app_key(App *a, Store *s, Key k)
{
	/* A message answers the key before: the next one has its own answer, if any. */
	bool changed, had = k.code < AK_PRESS && a->message[0];
	if (had)
		a->message[0] = 0;
	switch (a->mode) {
	case MODE_PROMPT: changed = k.code >= AK_PRESS ? panes_key(a, s, k) : prompt_key(a, k); break;
	case MODE_COMMAND: changed = k.code < AK_PRESS && command_key(a, s, k); break;
	case MODE_SEARCH: changed = k.code < AK_PRESS && search_key(a, k); break;
	case MODE_MESSAGES:
	case MODE_HELP: changed = help_key(a, k); break;
	case MODE_QUIT: changed = quit_key(a, k); break;
	default: changed = panes_key(a, s, k); break;
	}
	changed |= had;
	a->dirty |= changed;
	return changed;
}

bool app_paste(App *a, const char *text, size_t n)
{
	if (a->mode == MODE_COMMAND)
		lineedit_insert(&a->command, text, n);
	else if (a->mode == MODE_SEARCH)
		lineedit_insert(&a->search, text, n);
	else if (a->mode == MODE_PROMPT || (a->mode == MODE_PANES && !a->replay))
		lineedit_insert(&a->prompt, text, n);
	else
		return false;
	if (a->mode == MODE_PANES)
		a->mode = MODE_PROMPT;
	a->dirty = true;
	return true;
}
