/* app_answer.c - which answer of a group is selected: the one under the cursor of the table of answers. */
#include "view/app_state.h"

void app_answer_sync(App *a)
{
	int pane = app_pane_of(a, "answers");
	a->sel.answer = pane >= 0 ? a->scene[a->now].pane[pane].local_y : 0;
}

void app_answer(App *a, const Store *s, const char *which)
{
	int pane = app_pane_of(a, "answers"), text = app_pane_of(a, "answer");
	SceneNode none = { .view = "", .index = -1 };
	Look l = app_look(a, s, &none, 0);
	int at = pane < 0 ? -1 : source_answer_pick(&l, which);
	if (at < 0) {
		app_say(a, true, pane < 0 ? "no group of answers in this scene: :scene rl" : "answer best, worst, longest, surprising, or its number");
		return;
	}
	a->scene[a->now].pane[pane].local_y = at;
	if (text >= 0)
		a->scene[a->now].pane[text].local_y = a->scene[a->now].pane[text].scroll_y = 0;
	a->dirty = true;
	app_say(a, false, "answer %d", at + 1);
}
