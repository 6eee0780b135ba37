/* caps.c - terminfo is asked for what it knows (addressing, number of colours, the second screen), the
 * environment for what terminfo does not say. Hardware and emulators without ANSI addressing get the text
 * report instead of a screen. */
#include "tui/caps.h"
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <curses.h>
#include <term.h>

static bool env_set(const char *name)
{
	const char *v = getenv(name);
	return v && *v;
}

static bool env_is(const char *name, const char *value)
{
	const char *v = getenv(name);
	return v && !strcmp(v, value);
}

/* Emulators whose parsers skip private modes and commands that they do not know. */
static bool term_is_modern(const char *term)
{
	static const char *const names[] = { "xterm", "tmux", "screen", "rxvt", "alacritty", "foot", "kitty",
		"wezterm", "ghostty", "konsole", "gnome", "vte", "st", "contour", "iterm", "mintty", "putty",
		"nsterm" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strncmp(term, names[i], strlen(names[i])))
			return true;
	return false;
}

static bool string_cap(const char *name, const char *begin)
{
	/* tigetstr takes a char * that it does not write to */
	char key[16];
	strncpy(key, name, sizeof key - 1);
	key[sizeof key - 1] = 0;
	const char *s = tigetstr(key);
	return s && s != (const char *)-1 && !strncmp(s, begin, strlen(begin));
}

static int number_cap(const char *name)
{
	char key[16];
	strncpy(key, name, sizeof key - 1);
	key[sizeof key - 1] = 0;
	return tigetnum(key);
}

static ColorDepth depth_of(const char *term, int colors)
{
	if (env_is("COLORTERM", "truecolor") || env_is("COLORTERM", "24bit") || strstr(term, "direct") ||
		colors > 0xffff)
		return COLORS_TRUE;
	return colors >= 256 ? COLORS_256 : colors >= 8 ? COLORS_8 : COLORS_NONE;
}

/* The flag first, then NO_COLOR, then the words that force, then CLICOLOR=0. */
static bool wants_color(const char *color)
{
	if (!strcmp(color, "never"))
		return false;
	if (!strcmp(color, "always"))
		return true;
	if (env_set("NO_COLOR"))
		return false;
	return env_set("CLICOLOR_FORCE") || env_set("FORCE_COLOR") || !env_is("CLICOLOR", "0");
}

static void read_terminfo(Caps *c, int fd, int *colors)
{
	int status = 0;
	if (setupterm(c->term, fd, &status) == OK) {
		c->screen = string_cap("cup", "\033[");
		c->alternate = string_cap("smcup", "\033[?1049h") || string_cap("smcup", "\033[?47h") ||
			string_cap("smcup", "\0337\033[?47h");
		*colors = number_cap("colors");
		c->why = c->screen ? "" : "its cursor is not addressed the ANSI way";
		del_curterm(cur_term);
	} else {
		c->screen = c->alternate = term_is_modern(c->term);
		*colors = c->screen ? 8 : 0;
		c->why = "terminfo does not know it";
	}
}

Caps caps_probe(int fd, const char *color)
{
	Caps c = { .why = "" };
	int colors = 0;
	const char *term = getenv("TERM");
	strncpy(c.term, term ? term : "", sizeof c.term - 1);
	c.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!isatty(fd))
		c.why = "output is not a terminal";
	else if (!c.term[0])
		c.why = "TERM is not set";
	else if (!strcmp(c.term, "dumb"))
		c.why = "TERM is dumb";
	else
		read_terminfo(&c, fd, &colors);
	c.depth = c.screen && wants_color(color) ? depth_of(c.term, colors) : COLORS_NONE;
	if (c.screen && c.depth == COLORS_NONE && (!strcmp(color, "always")))
		c.depth = COLORS_8;
	c.sync = c.clipboard = c.screen && term_is_modern(c.term);
	return c;
}

const char *caps_depth_name(ColorDepth d)
{
	return d == COLORS_TRUE ? "24-bit" : d == COLORS_256 ? "256" : d == COLORS_8 ? "8" : "none";
}
