/* pen.c - see pen.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifdef HAVE_CAIRO
#include "view/pen.h"
#include <dlfcn.h>
#include <string.h>

static bool pen_find(Pen *p, const char *name, void *slot, Err *e)
{
	void *f = dlsym(p->lib, name);
	if (!f)
		return err_set(e, E_2003,
			"libcairo.so.2 has no %s; install a newer one, or use --as text, ansi, csv or json", name);
	memcpy(slot, &f, sizeof f); /* ISO C has no cast from an object's to a function's address */
	return true;
}

/* The loader tells its reason as text alone: a library that is there and does not load lacks memory. */
static bool pen_missing(const char *why, Err *e)
{
	if (why && !strstr(why, "No such file"))
		return err_set(e, E_5001, "svg and png need libcairo.so.2, which cannot be loaded: %s", why);
	return err_set(e, E_2003,
		"svg and png need libcairo.so.2, which is not here; install cairo, or use --as text, ansi, csv or json");
}

bool pen_open(Pen *p, Err *e)
{
	p->lib = dlopen("libcairo.so.2", RTLD_NOW | RTLD_LOCAL);
	if (!p->lib)
		return pen_missing(dlerror(), e);
	bool ok = true;
#define X(name) ok = ok && pen_find(p, "cairo_" #name, &p->name, e);
	PEN_CALLS(X)
#undef X
	return ok;
}
#endif
