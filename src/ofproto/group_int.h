// SPDX-License-Identifier: Apache-2.0
/*
 * group_int.h - groups as main changes them: the array that others read, and what a transaction
 * that is under way makes of it (group_stage.c).
 */
#ifndef OFPROTO_GROUP_INT_H
#define OFPROTO_GROUP_INT_H 1

#include "ofproto/ofproto_priv.h"
#include "ofproto/group.h"

struct ofgroup_map {
    cls_version_t version;             /* the first that it is for */
    const struct ofgroup_map *earlier; /* for those before; gone when nobody can ask for one */
    size_t n;
    struct ofgroup *groups[]; /* by group_id, each with a reference */
};
/* The place of the first group whose id is not below 'id'; 'map' may be NULL. */
size_t ofgroup_map_place(const struct ofgroup_map *map, uint32_t id);
struct ofgroup *ofgroup_map_find(const struct ofgroup_map *map, uint32_t id);

/* The group as the transaction that is under way, if any, has it, or NULL. */
struct ofgroup *group_stage_find(const struct ofproto *, uint32_t id);
/* From the next version on 'new' (taken, may be NULL) stands for the group 'id'. */
void group_stage_put(struct ofproto *, uint32_t id, struct ofgroup *new);
/* From the next version on there are none. */
void group_stage_clear(struct ofproto *);

#endif /* ofproto/group_int.h */
