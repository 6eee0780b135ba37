/* verify_train.h - `lathe verify --train DIR`. */
#ifndef CLI_VERIFY_TRAIN_H
#define CLI_VERIFY_TRAIN_H
#include "cli/cmd.h"
int cli_verify_train(const Args *a, const char *dir, Err *e);
#endif
