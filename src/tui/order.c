/* order.c - what the App asks of the terminal part ({"ui":...}) is done here; its commands to the engine go
 * there as they are. */
#include "tui/order.h"
#include "base/json.h"
#include "base/utf8.h"
#include "probe/record.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void screen_say_error(Screen *l, const Err *e)
{
	Buf b = BUF_INIT;
	safe_text(&b, e->text, strlen(e->text), 0);
	app_message(l->app, true, buf_str(&b));
	buf_done(&b);
	l->dirty = true;
}

/* A recording in place of the engine: the App is made anew, as one that has nobody to send commands to. */
static bool order_replay(Screen *l, json_t *j, Err *e)
{
	const char *path = json_string_value(json_object_get(j, "path"));
	AppOptions o = l->src->app;
	bool torn = false;
	o.replay = true;
	o.scene = app_scene(l->app);
	Store *s = store_new(192 << 20);
	App *a = s ? app_new(&o, e) : NULL;
	if (!a || !path || !record_load(path, s, &torn, e)) {
		app_free(a);
		store_free(s);
		return err_set(e, E_5001, "out of memory for a recording");
	}
	if (l->client && l->src->own_engine)
		client_end(l->client, 1);
	l->client = NULL;
	app_free(l->app);
	store_free(l->own_store);
	l->app = a;
	l->store = l->own_store = s;
	if (torn)
		app_message(a, true, "the recording ends in the middle of a frame; the rest is shown");
	return true;
}

static bool order_restart(Screen *l, json_t *j, Err *e)
{
	(void)j;
	if (!l->client)
		return err_set(e, E_9003, "this is a recording: there is no engine to start");
	if (!client_restart(l->client, e))
		return false;
	store_clear(l->store, "**");
	l->alive = client_alive(l->client);
	app_set_engine(l->app, l->alive, client_ending(l->client));
	return true;
}

static bool order_mouse(Screen *l, json_t *j, Err *e)
{
	(void)e;
	term_mouse(&l->term, json_is_true(json_object_get(j, "on")));
	return true;
}

static bool order_copy(Screen *l, json_t *j, Err *e)
{
	const char *text = json_string_value(json_object_get(j, "text"));
	if (!text || !term_copy(&l->term, text))
		return err_set(
			e, E_4002, "this terminal has no clipboard to write to, or the text is too long for it");
	app_message(l->app, false, "copied");
	return true;
}

static bool order_beside(Screen *l, json_t *j, Err *e)
{
	const char *path = json_string_value(json_object_get(j, "path"));
	if (!l->src->beside || !path)
		return err_set(e, E_2003, "beside: this screen cannot read other runs");
	if (!l->src->beside_add(l->src->beside, path, e))
		return false;
	l->src->beside_read(l->src->beside, l->store);
	return true;
}

static bool order_suspend(Screen *l, json_t *j, Err *e)
{
	(void)l;
	(void)j;
	(void)e;
	raise(SIGTSTP); /* blocked: the loop takes it as it takes the one of a terminal */
	return true;
}

static const struct Order { const char *name; bool (*run)(Screen *l, json_t *j, Err *e); } orders[] = {
	{ "replay", order_replay }, { "restart", order_restart },
	{ "mouse", order_mouse }, { "copy", order_copy }, { "beside", order_beside }, { "suspend", order_suspend },
};

/* An engine may have been started in another folder: it gets the whole path of a file that the user named
 * from here. */
static bool path_is_relative(const char *path)
{
	return path && *path && path[0] != '/' && path[0] != '@';
}

static void order_send(Screen *l, const char *text, json_t *j, Err *e)
{
	char here[2048];
	const char *path = json_string_value(json_object_get(j, "path"));
	char *told = NULL;
	if (path_is_relative(path) && getcwd(here, sizeof here)) {
		Buf b = BUF_INIT;
		buf_printf(&b, "%s/%s", here, path);
		json_object_set_new(j, "path", json_string(buf_str(&b)));
		told = json_dumps(j, JSON_COMPACT);
		buf_done(&b);
	}
	if (!client_send(l->client, told ? told : text))
		err_set(e, E_9003, "the engine is gone; press R to start it again");
	free(told);
}

static void order_run(Screen *l, const char *text)
{
	Err e = { 0 };
	json_t *j = json_parse(text, strlen(text), "command", E_3183, &e);
	const char *ui = j ? json_string_value(json_object_get(j, "ui")) : NULL;
	const struct Order *o = NULL;
	for (size_t i = 0; ui && i < sizeof orders / sizeof orders[0]; i++)
		if (!strcmp(ui, orders[i].name))
			o = &orders[i];
	if (o)
		o->run(l, j, &e);
	else if (j && !ui && l->client)
		order_send(l, text, j, &e);
	if (e.code)
		screen_say_error(l, &e);
	json_decref(j);
	l->dirty = true;
}

void screen_orders(Screen *l)
{
	for (const char *text; (text = app_take_command(l->app));)
		order_run(l, text);
}
