/* config_fields.h - the keys of config.json that are one number or flag each, in one table for the reader
 * and the writer. */
#ifndef MODEL_CONFIG_FIELDS_H
#define MODEL_CONFIG_FIELDS_H
#include "model/config.h"
#include <stddef.h>

enum { NO_NULL = -1000 };
typedef enum FieldKind { INT, NUM, FLAG } FieldKind;
typedef struct Field {
	const char *key;
	FieldKind kind;
	int null;            /* the value null stands for, or NO_NULL */
	size_t at;           /* in Config */
	double lo, hi;       /* allowed, both ends */
	double missing[3];   /* by Arch */
} Field;
const Field *config_fields(size_t *n);
bool config_field_applies(const Field *f, Arch arch);
#endif
