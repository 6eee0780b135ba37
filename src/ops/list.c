/* list.c - the table of ops: what the gradient check walks, the manual is made from, and scripts find ops
 * by. */
#include "ops/op.h"

#define OP_ENTRY(name) &op_##name,
const Op *const op_table[] = { OPS_ALL(OP_ENTRY) NULL };
