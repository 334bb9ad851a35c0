/*
 * switchboard/topics.h - the extension "topics/1": shared state that belongs to the host.
 *
 * A topic is a name under which connections meet. The host keeps who is subscribed, a piece of
 * metadata for each, and the last messages, so that several instances of a plugin, and the next
 * version of it, see one world. One place in the host, the topic's home, puts everything that
 * happens to a topic in one order and numbers it; every subscriber sees that order.
 *
 * What is published goes to the clients as it is: no plugin code runs for each delivery.
 *
 * The host's table:    const sb_topics *t = host->extension(host, SB_TOPICS_ID);
 * The plugin's table:  sb_plugin.extension(plugin, SB_TOPICS_ID) returns a const sb_topic_events *.
 */
#ifndef SWITCHBOARD_TOPICS_H
#define SWITCHBOARD_TOPICS_H

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SB_TOPICS_ID "topics/1"

/* A message for the subscribers of a topic. An empty one (kind 0) is none. */
typedef struct sb_topic_message {
  uint32_t kind; /* SB_TEXT or SB_BINARY; 0: no message                                      */
  uint32_t reserved;
  sb_bytes data;
} sb_topic_message;

#define SB_SUBSCRIBE_SNAPSHOT 1u /* wants `subscribed` with members and history              */

typedef struct sb_subscribe {
  uint32_t size;
  uint32_t flags;     /* SB_SUBSCRIBE_*                                                      */
  sb_bytes key;       /* unique among the members of the topic; empty: no such wish          */
  sb_bytes metadata;  /* the plugin's words about this member, at most 4 KiB                 */
  sb_topic_message joined; /* published to the others in the same step as the member is added */
  sb_topic_message left;   /* published in the same step as it is removed, whatever ended it */
  uint32_t history_messages; /* the topic keeps its last retained messages up to this number; the
                                largest wish of a member counts; at most 1000                */
  uint32_t reserved;
} sb_subscribe;

#define SB_PUBLISH_RETAIN 1u /* keep it in the topic's history                               */

typedef struct sb_publish {
  uint32_t size;
  uint32_t flags;  /* SB_PUBLISH_*                                                           */
  sb_topic_message message;
  sb_conn except;  /* a subscriber that does not get it, or 0                                */
} sb_publish;

typedef struct sb_topics {
  uint32_t size;
  uint32_t reserved;

  /* Makes `conn` a member of the topic, which exists from its first member on. Deliveries begin
   * behind the snapshot. A second subscription of the same connection replaces key, metadata and
   * messages, and publishes no `joined`. `subscribed` tells what it came to if the flag asks for
   * it or if it failed. A topic's name is 1 to 255 bytes of UTF-8.
   * SB_E_CLOSED, SB_E_INVALID, SB_E_AGAIN. [any-thread] */
  sb_status (*subscribe)(const sb_host *host, sb_conn conn, sb_bytes topic,
                         const sb_subscribe *how);

  /* Ends it. The end of a connection ends all of its subscriptions, before `closed` is called.
   * [any-thread] */
  sb_status (*unsubscribe)(const sb_host *host, sb_conn conn, sb_bytes topic);

  /* Publishes to every member. Publications that happen one after another are delivered in that
   * order. SB_E_AGAIN: the host is behind, try later. [any-thread] */
  sb_status (*publish)(const sb_host *host, sb_bytes topic, const sb_publish *what);
} sb_topics;

typedef struct sb_topic_member {
  uint64_t conn_uid;
  sb_bytes key;
  sb_bytes metadata;
} sb_topic_member;

typedef struct sb_topic_retained {
  uint64_t seq;
  sb_topic_message message;
} sb_topic_retained;

/* The state of a topic at one instant. Borrowed for the call. */
typedef struct sb_topic_snapshot {
  uint32_t size;
  sb_status status; /* SB_OK; SB_E_BUSY: the key is taken; SB_E_NOMEM: too many topics. If it is
                       less than zero the connection is no member (or, on a second subscription,
                       stays what it was) and the rest is empty                              */
  sb_bytes topic;
  sb_bytes key;     /* the key that was asked for                                            */
  uint64_t seq;     /* number of the last event before the first delivery                    */
  const sb_topic_member *members; /* with this one, in the order of their joining            */
  size_t n_members;
  const sb_topic_retained *history; /* oldest first                                          */
  size_t n_history;
} sb_topic_snapshot;

typedef struct sb_topic_events {
  uint32_t size;
  uint32_t reserved;

  /* What a subscription came to. What is sent here reaches the client before the first delivery.
   * [conn-serial] */
  void (*subscribed)(struct sb_plugin *plugin, sb_conn conn, void *session,
                     const sb_topic_snapshot *topic);
} sb_topic_events;

#ifdef __cplusplus
}
#endif

#endif /* SWITCHBOARD_TOPICS_H */
