/* settings.h - everything about a training run that is a number or a word, under one name each: the same in a
 * configuration file, in --set, in a change while running, and in what a checkpoint keeps. */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H
#include "base/err.h"
#include "base/json.h"
#include <stdint.h>

typedef enum LrShape { LR_CONSTANT, LR_COSINE, LR_V3, LR_LINEAR } LrShape;
typedef enum Balance { BALANCE_NONE, BALANCE_BIAS, BALANCE_SEQUENCE, BALANCE_V2 } Balance;
/* An MTP module's sum of losses divided by the number of main targets (V3 report eq. 24), or of its own. */
typedef enum MtpNorm { MTP_PAPER, MTP_MEAN } MtpNorm;
typedef enum GemmKind { GEMM_F32, GEMM_BF16, GEMM_FP8 } GemmKind;

typedef struct TrainSettings {
	int64_t seed, steps, batch, seq, accumulate;
	int64_t batch_start, batch_ramp;       /* rows at the first step, and steps until it is `batch`; 0: no ramp */
	int64_t lr_shape;                      /* LrShape */
	double lr, lr_final, lr_hold;          /* peak; share of it at the end; V3: share of the steps at the peak */
	int64_t warmup;
	double beta1, beta2, eps, weight_decay, clip, init_std, ema;
	int64_t moments_bf16, gemm;            /* gemm: GemmKind */
	int64_t fp8_recipe, fp8_sum;           /* place among the words; 1: as Hopper's tensor cores */
	int64_t fp8_bits, fp8_promote;         /* of Hopper's sums */
	double fp8_floor;
	int64_t balance;                       /* Balance */
	double gamma, gamma_frozen;            /* speed of the bias; share of the steps at the end without it */
	double alpha, alpha_device, alpha_comm;
	int64_t devices, devices_kept;         /* groups of experts for V2's losses, M of its communication loss */
	int64_t mtp_norm;                      /* MtpNorm */
	double mtp_lambda, mtp_lambda_late, mtp_late;   /* weight, weight of the last share of the steps */
	int64_t document_mask, fim_middle;
	double fim;                            /* share of documents cut as prefix, suffix, middle */
	int64_t recompute;
	int64_t checkpoint_every, keep, eval_every, eval_rows, sample_every, patience;
} TrainSettings;

typedef enum SettingKind { SETTING_INT, SETTING_NUMBER, SETTING_FLAG, SETTING_WORD } SettingKind;
typedef struct Setting {
	const char *name;
	SettingKind kind;
	size_t offset;
	double least, most, usual;
	const char *words;                     /* SETTING_WORD: "constant cosine v3 linear", the values 0, 1, ... */
	bool live;                             /* may be changed while a run is going on */
	const char *help;
} Setting;
/* --- of any table, which ends with a NULL name; values is the struct that its offsets are of --- */
const Setting *setting_named(const Setting *table, const char *name);  /* NULL: none of that name */
void setting_defaults(const Setting *table, void *values);
bool setting_set(const Setting *table, void *values, const char *name, const char *value, Err *e);
bool setting_set_number(const Setting *table, void *values, const char *name, double value, Err *e);
void setting_write_all(const Setting *table, const void *values, Jout *j);

/* --- of a training run --- */
const Setting *settings_table(void);
void settings_default(TrainSettings *s);
/* E_2101: no such setting (names the nearest), E_2102: value out of range or not of the kind. */
bool settings_set(TrainSettings *s, const char *name, const char *value, Err *e);
/* The same while a run is going on: E_2102 for a setting that cannot change then. */
bool settings_change(TrainSettings *s, const char *name, const char *value, Err *e);
bool settings_set_number(TrainSettings *s, const char *name, double value, Err *e);
/* The word that a setting of words has now. */
void settings_word(const TrainSettings *s, const char *name, char *out, size_t n);
/* As members of an open JSON object. */
void settings_write(const TrainSettings *s, Jout *j);
#endif
