/* next.c - the smallest use of the library: open a checkpoint, give it a text, print the five most
 * probable next tokens and the experts that the last layer chose for it.
 *
 *   cc next.c $(pkg-config --cflags --libs --static lathe) -o lathe-next && ./lathe-next CKPT "Once upon a time" */
#include <lathe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Called as the value is computed: the rows are tokens, the columns the chosen experts. */
static void see_route(const LatheProbe *p, void *ud)
{
	(void)ud;
	printf("%s of the last token:", p->name);
	for (int64_t k = 0; k < p->shape[1]; k++)
		printf(" %d", p->ints[(p->shape[0] - 1) * p->shape[1] + k]);
	printf("\n");
}

static int fail(const LatheError *e)
{
	fprintf(stderr, "error[E%04d]: %s\n", e->code, e->text);
	return e->code / 1000;
}

int main(int argc, char **argv)
{
	LatheError e = { 0 };
	LatheToken t;
	int32_t *ids;
	size_t n;
	char pattern[64];
	if (argc != 3) {
		fprintf(stderr, "usage: %s CKPT TEXT\n", argv[0]);
		return 2;
	}
	LatheModel *m = lathe_open(argv[1], NULL, &e);
	if (!m || !lathe_encode(m, argv[2], strlen(argv[2]), true, &ids, &n, &e))
		return fail(&e);
	snprintf(pattern, sizeof pattern, "layers.%lld.moe.topk", (long long)lathe_layers(m) - 1);
	int watch = lathe_watch(m, pattern, see_route, NULL);
	LatheSessionOptions o = { .alternatives = 5, .mtp = LATHE_MTP_OFF };
	LatheSession *s = lathe_session_new(m, &o, &e);
	if (!s || !lathe_session_feed(s, ids, n, &e))
		return fail(&e);
	lathe_unwatch(m, watch);
	if (lathe_session_next(s, &t, &e) < 0)
		return fail(&e);
	for (int i = 0; i < t.n_alternatives; i++) {
		char *text = lathe_decode(m, &t.alternative[i], 1);
		printf("%8.4f  %6d  %s\n", (double)t.alternative_logprob[i], t.alternative[i], text);
		free(text);
	}
	free(ids);
	lathe_session_free(s);
	lathe_close(m);
	return 0;
}
