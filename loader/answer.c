// SPDX-License-Identifier: GPL-2.0-only
#include "answer.h"

#include <errno.h>
#include <stdlib.h>

#include "stream.h"

int answer_make(
	struct answer *answer, serve_fn serve, const struct wire_request *request, void *arg)
{
	struct wire_reply *reply = &answer->reply;
	FILE *out, *err;
	bool whole;

	*answer = (struct answer){};
	out = stream_open(&answer->out, &reply->out_len);
	err = stream_open(&answer->err, &reply->err_len);
	whole = out && err;
	if (whole)
		reply->exit = serve(request, out, err, arg);
	if (out && stream_close(out))
		whole = false;
	if (err && stream_close(err))
		whole = false;
	reply->out = answer->out;
	reply->err = answer->err;
	if (whole && reply->exit != SERVE_LATER)
		return 0;
	answer_free(answer);
	return whole ? SERVE_LATER : -ENOMEM;
}

void answer_free(struct answer *answer)
{
	free(answer->out);
	free(answer->err);
}
