#ifndef MODEL_ROPE_TABLE_H
#define MODEL_ROPE_TABLE_H
#include "model/config.h"
/* inv_freq[qk_rope_head_dim / 2] */
void rope_frequencies(const Config *c, float *inv_freq);
/* dq^-0.5 m^2 */
double rope_softmax_scale(const Config *c);
#endif
