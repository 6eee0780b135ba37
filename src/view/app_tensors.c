/* app_tensors.c - the tree of tensors: its selection, what is open, its filter, and asking the engine for the figures of the tensor under
 * the cursor. */
#include "view/app_state.h"
#include "base/json.h"
#include <stdio.h>
#include <string.h>

static const SceneNode *tensors_pane(const App *a)
{
	const SceneDef *d = a->scene[a->now].def;
	for (int i = 0; d && i < d->n_panes; i++)
		if (strcmp(d->pane[i]->data, "tensors") == 0)
			return d->pane[i];
	return NULL;
}

bool app_has_tensors(const App *a)
{
	return tensors_pane(a) != NULL;
}

static void tensor_select(App *a, const char *path)
{
	snprintf(a->tensor, sizeof a->tensor, "%.511s", path);
	a->sel.tensor = a->tensor;
	a->dirty = true;
}

void app_filter(App *a, const char *text)
{
	snprintf(a->filter, sizeof a->filter, "%.63s", text);
	a->sel.filter = a->filter;
	a->dirty = true;
}

static void group_set(App *a, const char *path, bool open)
{
	if (a->open.len > 64 << 10)
		buf_clear(&a->open);
	buf_printf(&a->open, "%c%s\n", open ? '+' : '-', path);
	a->sel.open = buf_str(&a->open);
}

/* Does a row below belong to this one? Then the group is open. */
static bool group_is_open(const Table *t, int i)
{
	size_t n = strlen(t->path[i]);
	return i + 1 < t->rows && strncmp(t->path[i + 1], t->path[i], n) == 0 && t->path[i + 1][n] == '.';
}

static bool row_is_group(const Table *t, int i)
{
	const char *s = t->cell[(size_t)i * (size_t)t->cols].s;
	return s && (strstr(s, "▸") || strstr(s, "▾"));
}

static void tensor_close(App *a, const Table *t, int i)
{
	if (row_is_group(t, i) && group_is_open(t, i)) {
		group_set(a, t->path[i], false);
		return;
	}
	/* The group that it lies in. */
	for (int k = i - 1; k >= 0; k--) {
		size_t n = strlen(t->path[k]);
		if (strncmp(t->path[k], t->path[i], n) == 0 && t->path[i][n] == '.') {
			tensor_select(a, t->path[k]);
			return;
		}
	}
}

void app_tensor_move(App *a, const Data *d, int dx, int dy)
{
	const Table *t = &d->table;
	int i = t->sel + dy;
	i = i >= t->rows ? t->rows - 1 : i < 0 ? 0 : i;
	if (t->rows < 1 || !t->path)
		return;
	tensor_select(a, t->path[i]);
	if (dx > 0 && row_is_group(t, i) && !group_is_open(t, i))
		group_set(a, t->path[i], true);
	else if (dx < 0)
		tensor_close(a, t, i);
	a->dirty = true;
}

void app_tensor_mean(App *a)
{
	a->block_mean ^= true;
	a->ask_again = true;
	app_say(a, false, a->block_mean ? "blocks show their mean" : "blocks show what is largest in them");
	a->dirty = true;
}

void app_tensor_zoom(App *a, bool in)
{
	AppScene *s = app_current(a);
	double w[4] = { 0 };
	bool can = !in;
	for (int i = 0; in && s->def && i < s->def->n_panes; i++)
		can |= source_tensor_window(&a->data[i], 4, w);
	if (!can) {
		app_say(a, true, "there is no picture of a tensor here");
		return;
	}
	memcpy(a->window, w, sizeof a->window);
	for (int i = 0; s->def && i < s->def->n_panes; i++)
		if (strcmp(s->def->pane[i]->data, "tensor_map") == 0)
			s->pane[i].local_x = s->pane[i].local_y = 0;
	a->ask_again = true;
	a->dirty = true;
}

/* The engine reads no tensor before it is looked at, and each only once. */
void app_tensor_look(App *a, const Store *s)
{
	const SceneNode *p = tensors_pane(a);
	const char *state = a->facts.status.state, *name;
	bool known;
	if (!p || a->replay || !a->engine_alive || facts_training(&a->facts) || (strcmp(state, "idle") != 0 && strcmp(state, "paused") != 0))
		return;
	Look *l = arena_alloc(a->arena, sizeof *l);
	if (!l)
		return;
	*l = app_look(a, s, p, 0);
	/* A probe is looked at again when the text has grown. */
	double at = a->facts.card_time + a->facts.run_time + (double)a->facts.n_tok;
	if (!source_tensor_selected(l, &name, &known) || (!a->ask_again && (known || (strcmp(name, a->asked) == 0 && at == a->asked_at))))
		return;
	if (strcmp(name, a->asked) != 0)
		memset(a->window, 0, sizeof a->window);
	a->ask_again = false;
	a->asked_at = at;
	snprintf(a->asked, sizeof a->asked, "%.511s", name);
	app_send_tensor(a, name);
}
