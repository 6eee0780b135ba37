/* app_send.c - commands for the engine and for the terminal, as JSON texts in a queue. */
#include "view/app_state.h"
#include "base/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void queue_put(App *a, char *json)
{
	if (!json)
		return;
	if (a->queue_n == APP_QUEUE) {
		free(json);
		app_say(a, true, "the engine does not take commands: too many wait");
		return;
	}
	a->queue[(a->queue_head + a->queue_n++) % APP_QUEUE] = json;
}

const char *app_take_command(App *a)
{
	if (a->queue_n == 0)
		return NULL;
	free(a->taken);
	a->taken = a->queue[a->queue_head];
	a->queue_head = (a->queue_head + 1) % APP_QUEUE;
	a->queue_n--;
	return a->taken;
}

static bool engine_there(App *a)
{
	if (a->replay)
		app_say(a, true, "this is a recording: no engine to tell");
	else if (!a->engine_alive)
		app_say(a, true, "the engine is gone; R starts it again");
	return !a->replay && a->engine_alive;
}

/* A whole JSON object, ours. */
void app_send(App *a, const char *fmt, ...)
{
	Buf b = BUF_INIT;
	char s[512];
	va_list ap;
	if (!engine_there(a))
		return;
	va_start(ap, fmt);
	vsnprintf(s, sizeof s, fmt, ap);
	va_end(ap);
	buf_adds(&b, s);
	queue_put(a, buf_take(&b));
}

/* More was asked for of a text that its end-of-sentence token has ended: nothing will come, and nothing
 * else would say why. */
void app_say_ended(App *a)
{
	if (!a->replay && a->engine_alive && strcmp(a->facts.status.finish, "eos") == 0)
		app_say(a, false, "the text has ended (eos); after :set ignore_eos true the next prompt goes on");
}

static char *json_of(const char *kind, const char *what, const char *key, const char *text)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kstr(&j, kind, what);
	if (key)
		jout_kstr(&j, key, text);
	jout_end_obj(&j);
	return buf_take(&b);
}

void app_send_text(App *a, const char *cmd, const char *key, const char *text)
{
	if (engine_there(a))
		queue_put(a, json_of("cmd", cmd, key, text));
}

void app_send_tensor(App *a, const char *name)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kstr(&j, "cmd", "tensor");
	jout_kstr(&j, "name", name);
	jout_kbool(&j, "mean", a->block_mean);
	static const char *const key[] = { "row", "col", "rows", "cols" };
	for (int i = 0; a->window[2] > 0 && i < 4; i++)
		jout_kint(&j, key[i], (int64_t)a->window[i]);
	jout_end_obj(&j);
	queue_put(a, buf_take(&b));
}

void app_send_ui(App *a, const char *ui, const char *key, const char *text)
{
	queue_put(a, json_of("ui", ui, key, text));
}

void app_send_mouse(App *a, bool on)
{
	queue_put(a, strdup(on ? "{\"ui\":\"mouse\",\"on\":true}" : "{\"ui\":\"mouse\",\"on\":false}"));
}

/* Watches what any scene shows: a scene switched to later then has its past, too. {layer} means any layer. */
void app_watch(App *a)
{
	Buf b = BUF_INIT;
	Jout j;
	if (a->replay || !a->engine_alive)
		return;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kstr(&j, "cmd", "watch");
	jout_key(&j, "patterns");
	jout_arr(&j);
	int n = 0;
	for (int i = 0; i < a->n_scenes; i++)
		for (int k = 0; a->scene[i].def && k < a->scene[i].def->n_topics; k++) {
			Buf t = BUF_INIT;
			for (const char *p = a->scene[i].def->topic[k]; *p;) {
				const char *end = *p == '{' ? strchr(p, '}') : NULL;
				buf_addc(&t, end ? '*' : *p);
				p = end ? end + 1 : p + 1;
			}
			jout_str(&j, buf_str(&t));
			buf_done(&t);
			n++;
		}
	jout_end_arr(&j);
	jout_end_obj(&j);
	if (n > 0)
		queue_put(a, buf_take(&b));
	buf_done(&b);
	app_watch_here(a);
}

/* The scene's own topics as a JSON list; a layer that is not known yet is any. "": it has none. */
static void here_list(App *a, Buf *out)
{
	const SceneDef *d = app_current(a)->def;
	Jout j;
	if (!d || d->n_here == 0)
		return;
	jout_init(&j, out);
	jout_arr(&j);
	for (int i = 0; i < d->n_here; i++) {
		Buf t = BUF_INIT;
		for (const char *p = d->here[i]; *p;) {
			bool layer = strncmp(p, "{layer}", 7) == 0;
			if (layer && a->sel.layer >= 0)
				buf_printf(&t, "%lld", (long long)a->sel.layer);
			else
				buf_addc(&t, layer ? '*' : *p);
			p += layer ? 7 : 1;
		}
		jout_str(&j, buf_str(&t));
		buf_done(&t);
	}
	jout_end_arr(&j);
}

static void here_send(App *a, const char *cmd, const char *list)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "{\"cmd\":\"%s\",\"patterns\":%s}", cmd, list);
	queue_put(a, buf_take(&b));
}

void app_look_again(App *a)
{
	a->look_due = false;
	if (!engine_there(a))
		return;
	if (!a->here || facts_training(&a->facts))
		app_say(a, false, "nothing in this scene is read from the text a second time");
	else if (a->facts.n_tok == 0)
		app_say(a, false, "no text yet - Enter writes a prompt");
	else
		here_send(a, "look", a->here);
}

/* What a scene alone wants is watched while it is shown. The text so far is read again for it when that takes no time that one would
 * notice; else when it is asked for. */
void app_watch_here(App *a)
{
	const char *state = a->facts.status.state;
	static const double unnoticed = 2e9;
	Buf b = BUF_INIT;
	if (a->replay || !a->engine_alive)
		return;
	here_list(a, &b);
	if (strcmp(buf_str(&b), a->here ? a->here : "") != 0) {
		if (a->here)
			here_send(a, "unwatch", a->here);
		free(a->here);
		a->here = b.len ? strdup(buf_str(&b)) : NULL;
		if (a->here)
			here_send(a, "watch", a->here);
		a->look_due = a->here && a->facts.n_tok > 0;
	}
	buf_done(&b);
	if (a->look_due && (strcmp(state, "idle") == 0 || strcmp(state, "paused") == 0)) {
		a->look_due = false;
		if (!facts_training(&a->facts) && 2 * (double)a->facts.card.active * (double)a->facts.n_tok < unnoticed)
			here_send(a, "look", a->here);
	}
}

void app_run_prompt(App *a)
{
	if (a->prompt.text.len == 0) {
		app_say(a, false, "an empty prompt: nothing to run");
		return;
	}
	app_send_text(a, "prompt", "text", buf_str(&a->prompt.text));
	lineedit_accept(&a->prompt);
	a->sel.follow = true;
}
