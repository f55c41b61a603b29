// SPDX-License-Identifier: GPL-2.0-only
#include "conf_file.h"

#include <errno.h>
#include <stdlib.h>

#include "dirs.h"

int conf_load(struct conf *conf, struct diag *diag)
{
	char *path = path_join(dirs_get()->conf, "bpfpol.conf"), *text = NULL;
	size_t len;
	int rc = path ? dir_check(dirs_get()->conf, diag) : -ENOMEM;

	*conf = (struct conf){};
	if (!rc)
		rc = file_read(path, &text, &len, diag);
	if (!rc)
		rc = conf_parse(path, text, conf, diag);
	free(text);
	free(path);
	return rc == -ENOENT ? 0 : rc;
}
