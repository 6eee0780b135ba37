/* verify.h - a checkpoint against stored probes (format lathe-golden-1): every probe of the file is
 * computed and compared. */
#ifndef ENGINE_VERIFY_H
#define ENGINE_VERIFY_H
#include "base/err.h"
#include "engine/lathe.h"
typedef struct VerifyOptions {
	LatheAttention attention;
	int chunk;            /* tokens a forward, 0: all at once */
} VerifyOptions;
typedef struct VerifyProbe { const char *name; bool ok; double max_abs, max_rel; char at[72]; } VerifyProbe;
typedef struct VerifyReport {
	bool ok;
	int n, skipped;       /* skipped: probes of layers that are not loaded */
	VerifyProbe *probe;
	char first[256];      /* the first layer that is off, in the order of computing; "" when none is */
	char source[256];     /* who computed the golden values */
	double atol, rtol;
} VerifyReport;
bool verify_run(LatheModel *m, const char *golden_path, const VerifyOptions *o, VerifyReport *out, Err *e);
void verify_done(VerifyReport *r);
#endif
