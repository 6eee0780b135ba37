/* schedule.c - what changes over a run by plan: learning rate, weight of the MTP loss, speed of the bias, rows of a step. V3 report 4.2. */
#include "train/state.h"
#include <math.h>

static double share_done(const TrainSettings *s, int64_t step)
{
	int64_t n = s->steps - s->warmup;
	double x = n > 0 ? (double)(step - s->warmup) / (double)n : 1;
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

static double cosine(double x)
{
	return (1 + cos(acos(-1.0) * x)) / 2;
}

double schedule_lr(const TrainSettings *s, int64_t step)
{
	double x = share_done(s, step), f = 1;
	if (step < s->warmup)
		return s->lr * (double)(step + 1) / (double)s->warmup;
	if (s->lr_shape == LR_COSINE)
		f = s->lr_final + (1 - s->lr_final) * cosine(x);
	else if (s->lr_shape == LR_LINEAR)
		f = 1 - (1 - s->lr_final) * x;
	else if (s->lr_shape == LR_V3 && x > s->lr_hold)
		f = s->lr_final + (1 - s->lr_final) * cosine((x - s->lr_hold) / (1 - s->lr_hold));
	return s->lr * f;
}

/* Is a step within the last `share` of the run? */
static bool is_late(const TrainSettings *s, int64_t step, double share)
{
	return (double)step >= (double)s->steps * (1 - share);
}

double schedule_lambda(const TrainSettings *s, int64_t step)
{
	return is_late(s, step, s->mtp_late) ? s->mtp_lambda_late : s->mtp_lambda;
}

double schedule_gamma(const TrainSettings *s, int64_t step)
{
	return s->balance != BALANCE_BIAS || is_late(s, step, s->gamma_frozen) ? 0 : s->gamma;
}

int64_t schedule_batch(const TrainSettings *s, int64_t step)
{
	if (step >= s->batch_ramp || s->batch_start == 0 || s->batch_start >= s->batch)
		return s->batch;
	return s->batch_start + (s->batch - s->batch_start) * step / s->batch_ramp;
}
