/* once.c - see once.h. */
#include "engine/once.h"
#include "engine/jobs.h"
#include "engine/tensors.h"
#include "engine/trace.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct Once { Bus *bus; Jobs jobs; bool has_jobs; };

static bool once_watch(Once *x, const OnceOptions *o, Err *e)
{
	for (int i = 0; o->watch && o->watch[i]; i++)
		if (!hooks_watch(x->jobs.hooks, 0, o->watch[i], e))
			return false;
	tensors_wanted(&x->jobs);
	return true;
}

/* The prompt's ids: those given, or the text's. */
static bool once_ids(Once *x, const OnceOptions *o, int32_t **ids, size_t *n, Err *e)
{
	LatheError le = { 0 };
	if (!o->ids)
		return lathe_encode(x->jobs.model, o->text, strlen(o->text), true, ids, n, &le) ||
		       jobs_error(e, &le);
	*ids = malloc(sizeof **ids * (o->n_ids ? o->n_ids : 1));
	if (!*ids)
		return err_set(e, E_5001, "out of memory for %zu ids", o->n_ids);
	memcpy(*ids, o->ids, sizeof **ids * o->n_ids);
	*n = o->n_ids;
	return true;
}

static bool once_text(Once *x, const OnceOptions *o, Err *e)
{
	int32_t *ids = NULL;
	size_t n = 0;
	RunOptions r = x->jobs.defaults;
	r.s = o->session;
	r.n = o->n;
	if (o->session.cache_dtype && strlen(o->session.cache_dtype) < sizeof r.cache_dtype)
		strcpy(r.cache_dtype, o->session.cache_dtype);
	bool ok = once_ids(x, o, &ids, &n, e) && run_begin(&x->jobs, ids, n, &r, e);
	if (ok)
		tree_begin(&x->jobs);
	free(ids);
	while (ok && run_wants(&x->jobs.run))
		run_advance(&x->jobs);
	if (ok && x->jobs.state == ENGINE_ERROR)
		ok = err_set(e, x->jobs.error.code, "%s", x->jobs.error.text);
	return ok;
}

static bool once_all(Once *x, const char *ckpt, const OnceOptions *o, Err *e)
{
	x->bus = bus_new(o->keep ? o->keep : (size_t)128 << 20);
	x->has_jobs = x->bus && jobs_init(&x->jobs, x->bus, "once");
	if (!x->has_jobs)
		return err_set(e, E_5001, "out of memory");
	x->jobs.load.threads = o->threads;
	x->jobs.load.layers = o->layers;
	x->jobs.load.memory_limit = o->memory_limit;
	if (o->precision && !(x->jobs.load.precision = strdup(o->precision)))
		return err_set(e, E_5001, "out of memory");
	if (o->record && !publish_record(&x->jobs.publish, o->record, e))
		return false;
	return jobs_load(&x->jobs, ckpt, e) && once_watch(x, o, e) && once_text(x, o, e) &&
	       publish_record_stop(&x->jobs.publish, e);
}

Once *once_run(const char *ckpt, const OnceOptions *o, Err *e)
{
	Once *x = calloc(1, sizeof *x);
	if (!x)
		err_set(e, E_5001, "out of memory");
	else if (once_all(x, ckpt, o, e))
		return x;
	bool begun = x && x->has_jobs && x->jobs.publish.record;
	once_free(x);
	if (begun)
		unlink(o->record); /* half a recording of a failed run is no use */
	return NULL;
}

bool once_order(Once *x, const char *json, Err *e)
{
	json_t *c = json_parse(json, strlen(json), "command", E_3183, e);
	Buf fields = BUF_INIT;
	Jout j;
	jout_init(&j, &fields);
	jout_obj(&j);
	bool ok = c && orders_run(&x->jobs, 0, c, &j, e);
	jout_end_obj(&j);
	while (ok && run_wants(&x->jobs.run))
		run_advance(&x->jobs);
	buf_done(&fields);
	json_decref(c);
	return ok;
}

const Store *once_store(const Once *x)
{
	return bus_store(x->bus);
}

void once_free(Once *x)
{
	if (!x)
		return;
	if (x->has_jobs)
		jobs_done(&x->jobs);
	bus_free(x->bus);
	free(x);
}
