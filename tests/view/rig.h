/* rig.h - an App on a recording, for tests of keys and pictures. */
#ifndef TESTS_VIEW_RIG_H
#define TESTS_VIEW_RIG_H
#include "tests/unit.h"
#include "probe/record.h"
#include "script/script.h"
#include <stdio.h>
#include <string.h>

typedef struct Rig { App *a; Store *s; Grid *g; Buf text; } Rig;

static inline Rig rig_open(const char *rec, const char *scene, bool replay, int w, int h)
{
	Err e = { 0 };
	char path[64];
	static char scenes[4096];
	snprintf(scenes, sizeof scenes, "%s", unit_src("scenes"));
	AppOptions o = { .scene_dir = scenes, .loader = script_scenes(), .scene = scene, .replay = replay };
	Rig r = { NULL, store_new(64 << 20), grid_new(w, h), BUF_INIT };
	snprintf(path, sizeof path, "tests/screen/%s.rec", rec);
	if (!record_load(unit_src(path), r.s, NULL, &e) || !(r.a = app_new(&o, &e)))
		fail_msg("%s", e.text);
	app_draw(r.a, r.s, r.g, 0);
	return r;
}

static inline void rig_close(Rig *r)
{
	app_free(r->a);
	store_free(r->s);
	grid_free(r->g);
	buf_done(&r->text);
}

static inline void rig_keys(Rig *r, const char *keys)
{
	Key k;
	for (size_t n; *keys; keys += n) {
		n = key_parse(keys, &k);
		assert_true(n > 0);
		app_key(r->a, r->s, k);
		app_draw(r->a, r->s, r->g, 0);
	}
}

static inline const char *rig_text(Rig *r)
{
	buf_clear(&r->text);
	grid_to_text(r->g, &r->text);
	return buf_str(&r->text);
}

static inline const char *rig_row(Rig *r, int y)
{
	const char *p = rig_text(r);
	for (; y > 0; y--)
		p = strchr(p, '\n') + 1;
	r->text.s[(p - r->text.s) + (long)strcspn(p, "\n")] = 0;
	return p;
}

static inline void rig_drain(Rig *r)
{
	while (app_take_command(r->a))
		continue;
}
#endif
