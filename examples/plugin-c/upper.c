/* upper - answers each message with its length and, if it is text, ASCII letters in upper case. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchboard/plugin.h>

typedef struct upper {
  sb_plugin table;
  const sb_host *host;
} upper;

static sb_status on_open(sb_plugin *plugin, sb_conn conn, const sb_open *request, void **session) {
  const sb_host *host = ((upper *)plugin->self)->host;
  (void)request, (void)session;
  return host->accept(host, conn, NULL);
}

static sb_status on_message(sb_plugin *plugin, sb_conn conn, void *session, const sb_message *in) {
  const sb_host *host = ((upper *)plugin->self)->host;
  char length[24];
  size_t head = (size_t)snprintf(length, sizeof length, "%zu ", in->data.len), size;
  sb_buf *answer = host->buf_new(host, head + in->data.len);
  sb_status status;
  uint8_t *text;
  (void)session;
  if (!answer) return SB_E_NOMEM;
  text = host->buf_data(answer, &size);
  memcpy(text, length, head);
  for (size_t i = 0; i < in->data.len; i++) {
    uint8_t c = in->data.ptr[i];
    text[head + i] = in->kind == SB_TEXT && c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
  }
  status = host->send_buf(host, conn, in->kind, answer); /* takes the reference */
  return status < 0 ? status : SB_OK; /* less than zero, also "queue full", closes with 1011 */
}

static void on_closed(sb_plugin *plugin, sb_conn conn, void *session, const sb_closed *end) {
  (void)plugin, (void)conn, (void)session, (void)end; /* nothing is kept for a connection */
}

static void destroy(sb_plugin *plugin) { free(plugin->self); }

static sb_status create(const sb_host *host, const sb_config *config, sb_plugin **out,
                        sb_sink *error) {
  upper *self = calloc(1, sizeof *self);
  (void)config, (void)error;
  if (!self) return SB_E_NOMEM;
  self->host = host;
  self->table = (sb_plugin){.size = sizeof(sb_plugin), .self = self, .open = on_open,
                            .message = on_message, .closed = on_closed, .destroy = destroy};
  *out = &self->table;
  return SB_OK;
}

SB_PLUGIN("org.switchboard.upper", "1.0.0", "", SB_ENTRY_NEVER_BLOCKS, create);
