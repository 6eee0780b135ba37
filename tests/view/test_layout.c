/* Who gets which rectangle: no overlap, no hole, the important pane last to go. */
#include "tests/unit.h"
#include "script/script.h"
#include <stdio.h>
#include <string.h>

static void check_rects(const SceneDef *d, const Rect *r, int w, int h)
{
	int area = 0, shown = 0;
	for (int i = 0; i < d->n_panes; i++) {
		if (r[i].w == 0)
			continue;
		shown++;
		area += r[i].w * r[i].h;
		assert_true(r[i].x >= 0 && r[i].y >= 0 && r[i].x + r[i].w <= w && r[i].y + r[i].h <= h);
		for (int k = 0; k < i; k++)
			assert_true(r[k].w == 0 || r[k].x + r[k].w <= r[i].x || r[i].x + r[i].w <= r[k].x ||
				r[k].y + r[k].h <= r[i].y || r[i].y + r[i].h <= r[k].y);
	}
	assert_true(shown >= 1);
	assert_int_equal(area, w * h);
}

TEST(layout_fills_every_size)
{
	static const char *const name[] = { "home", "router", "cache", "token" };
	for (int n = 0; n < 4; n++) {
		char path[64];
		snprintf(path, sizeof path, "scenes/%s.lua", name[n]);
		SceneDef *d = script_scene_load(unit_src(path), name[n], NULL);
		assert_string_equal(d->error, "");
		for (int w = 1; w <= 220; w += 7)
			for (int h = 1; h <= 80; h += 3) {
				Rect r[SCENE_PANES];
				scene_layout(d, w, h, NULL, -1, r);
				check_rects(d, r, w, h);
			}
		scene_free(d);
	}
}

TEST(layout_keeps_the_most_important_pane)
{
	SceneDef *d = script_scene_load(unit_src("scenes/router.lua"), "router", NULL);
	Rect r[SCENE_PANES];
	scene_layout(d, 40, 8, NULL, -1, r);
	for (int i = 0; i < d->n_panes; i++)
		assert_int_equal(r[i].w > 0, strcmp(d->pane[i]->data, "gate") == 0);
	scene_layout(d, 200, 56, NULL, -1, r);
	for (int i = 0; i < d->n_panes; i++)
		assert_true(r[i].w >= d->pane[i]->min_w && r[i].h >= d->pane[i]->min_h);
	scene_layout(d, 200, 56, NULL, 2, r);
	assert_int_equal(r[2].w * r[2].h, 200 * 56);
	scene_free(d);
}
