/* key.h - a key press or mouse event, free of any terminal library. */
#ifndef VIEW_KEY_H
#define VIEW_KEY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum KeyCode {
	AK_NONE, AK_CHAR /* cp */, AK_ENTER, AK_ESC, AK_TAB, AK_BACKTAB, AK_BACKSPACE, AK_DELETE, AK_INSERT,
	AK_UP, AK_DOWN, AK_LEFT, AK_RIGHT, AK_HOME, AK_END, AK_PGUP, AK_PGDN,
	AK_F1, AK_F2, AK_F3, AK_F4, AK_F5, AK_F6, AK_F7, AK_F8, AK_F9, AK_F10, AK_F11, AK_F12,
	AK_PRESS, AK_RELEASE, AK_DRAG, AK_WHEEL_UP, AK_WHEEL_DOWN /* mouse: x, y, button */
} KeyCode;
enum { MOD_SHIFT = 1, MOD_ALT = 2, MOD_CTRL = 4 };

typedef struct Key {
	KeyCode code;
	uint32_t cp;      /* AK_CHAR: the code point; with MOD_CTRL the letter in lower case ('c' for Ctrl-C) */
	unsigned mods;
	int x, y, button; /* mouse: cell, button 1..3 */
} Key;

/* Takes one key from a script like "2jj<Tab>:quit<Enter><C-r><F1>": bytes used, 0 at the end or on an
 * unknown name. */
size_t key_parse(const char *s, Key *out);
/* "<Tab>", "j": for help texts. */
void key_name(Key k, char *out, size_t n);
#endif
