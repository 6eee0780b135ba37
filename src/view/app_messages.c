/* app_messages.c - what the line below the panes said and says, whole: it has one line, and a message that tells what to do may need
 * three. */
#include "view/app_state.h"
#include <stdlib.h>
#include <string.h>

void app_message_keep(App *a, const char *text)
{
	if (!*text || (a->said[0] && strcmp(a->said[0], text) == 0))
		return;
	free(a->said[APP_SAID - 1]);
	memmove(&a->said[1], &a->said[0], (APP_SAID - 1) * sizeof a->said[0]);
	a->said[0] = strdup(text);
}

void app_messages_done(App *a)
{
	for (int i = 0; i < APP_SAID; i++)
		free(a->said[i]);
}

/* Bytes of s that go on one line of w columns: up to a blank, or in the middle of a word that is longer. */
static size_t line_take(const char *s, int w)
{
	char g[CELL_BYTES];
	size_t n = strlen(s), at = 0, blank = 0;
	for (int x = 0, gw; at < n;) {
		size_t u = text_grapheme(s + at, n - at, g, &gw);
		if (!u || x + gw > w)
			return blank ? blank : at ? at : n;
		x += gw;
		at += u;
		if (s[at - 1] == ' ')
			blank = at;
	}
	return n;
}

/* Draws s wrapped from line y on, indented by two behind its first line; returns the line below. */
static int wrapped(Win o, int y, const char *s, Style st)
{
	for (int indent = 0; *s; indent = 2, y++) {
		size_t n = line_take(s, o.w - indent > 1 ? o.w - indent : 1);
		if (y >= 0 && y < o.h)
			win_textn(o, indent, y, s, n, st);
		s += n;
	}
	return y;
}

static int messages_lines(App *a, Win o, int y)
{
	const Theme *t = a->theme;
	const FactStatus *st = &a->facts.status;
	if (!a->engine_alive && !a->replay && a->engine_why[0])
		y = wrapped(o, y, a->engine_why, t->warn) + 1;
	if (strcmp(st->state, "error") == 0 && st->message[0])
		y = wrapped(o, y, st->message, t->warn) + 1;
	for (int i = 0; i < APP_SAID && a->said[i]; i++)
		y = wrapped(o, y, a->said[i], i ? t->text : t->strong) + 1;
	if (a->readout[0])
		y = wrapped(o, y, arena_printf(a->arena, "under the cursor: %s", a->readout), t->dim) + 1;
	return y - 1;
}

void app_messages_draw(App *a, Win body)
{
	int w = body.w > 84 ? 84 : body.w;
	Win box = win_sub(body, (body.w - w) / 2, 0, w, body.h);
	win_fill(box, (Style){ COLOR_DEFAULT, COLOR_DEFAULT, 0 });
	Win in = win_box(box, "messages, newest first", "Esc leaves · Up Down scroll", a->theme->line_focus, a->theme->title, true);
	if (in.w > 4)
		in = win_sub(in, 1, 0, in.w - 2, in.h);
	int lines = messages_lines(a, win_sub(in, 0, 0, in.w, 0), 0), most = lines > in.h ? lines - in.h : 0;
	a->help_scroll = a->help_scroll > most ? most : a->help_scroll < 0 ? 0 : a->help_scroll;
	messages_lines(a, in, -a->help_scroll);
}
