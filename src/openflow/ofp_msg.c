// SPDX-License-Identifier: Apache-2.0
/* Reads and writes the headers of OpenFlow messages, and cuts long multipart replies into messages.
 *
 * See ofp_msg.h for the contract and ofp_msg.def for the list of encodings.  A header leads to its
 * encoding through one table, indexed by class, version and number, because a bundle of a hundred
 * thousand flow-mods passes here twice. Layouts: OpenFlow 1.0.0 sections 5.1 and 5.3.5,
 * OpenFlow 1.3.1 sections 7.1 and 7.3.5.
 */
#include "openflow/ofp_msg.h"

#define N_VERSION_SLOTS \
    (OFP_VERSION_MAX + 2) /* The last one is for all versions that we do not know. */
#define N_NUMBER_SLOTS 128

#define OFPT_EXPERIMENTER 4
#define OFPST_EXPERIMENTER 0xffffu

/* Where a message's number stands. */
enum raw_class { OFPT, REQ, REP, NXT, NXREQ, NXREP, ONFT, ONFREQ, ONFREP, N_CLASSES };

struct raw_info {
    const char *name;
    enum ofp_type type;
    enum raw_class class;
    uint8_t min_version;
    uint8_t max_version;
    uint16_t number;
    uint16_t min_size;
    uint16_t unit;
};

static const struct raw_info raws[OFPRAW_N] = {
#define OFPRAW(NAME, TYPE, CLASS, MIN, MAX, NUMBER, SIZE, UNIT) \
    {#NAME, OFPTYPE_##TYPE, CLASS, MIN, MAX, NUMBER, SIZE, UNIT},
#include "openflow/ofp_msg.def"
#undef OFPRAW
};

#define NUMBER_SLOT(N) ((N) < 64 ? (N) : 64 + (N) % 61)
#define VERSION_SLOT(V) ((V) <= OFP_VERSION_MAX ? (V) : OFP_VERSION_MAX + 1)

/* The encoding plus 1, or 0. */
static const uint8_t raw_index[N_CLASSES][N_VERSION_SLOTS][N_NUMBER_SLOTS] = {
#define OFPRAW(NAME, TYPE, CLASS, MIN, MAX, NUMBER, SIZE, UNIT) \
    [CLASS][VERSION_SLOT(MIN)... VERSION_SLOT(MAX)][NUMBER_SLOT(NUMBER)] = OFPRAW_##NAME + 1,
#include "openflow/ofp_msg.def"
#undef OFPRAW
};

_Static_assert(OFPRAW_N < UINT8_MAX, "raw_index holds bytes");

static bool
raw_find(enum raw_class class, uint8_t version, uint32_t number, enum ofp_raw *raw)
{
    unsigned int i;

    if (number > UINT16_MAX) {
        return false;
    }
    i = raw_index[class][VERSION_SLOT(version)][NUMBER_SLOT(number)];
    if (!i || raws[i - 1].number != number) {
        return false;
    }
    *raw = i - 1;
    return true;
}

/* The class of an experimenter's message; false if we do not know the experimenter. */
static bool
vendor_class(uint32_t vendor, enum raw_class nx, enum raw_class onf, enum raw_class *class)
{
    *class = vendor == OFP_VENDOR_NX ? nx : onf;
    return vendor == OFP_VENDOR_NX || vendor == OFP_VENDOR_ONF;
}

static enum ofperr
pull_experimenter(struct ofp_msg *msg)
{
    uint32_t vendor = rd_u32(&msg->body);
    uint32_t subtype;
    enum raw_class class;

    if (!rd_ok(&msg->body)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (!vendor_class(vendor, NXT, ONFT, &class)) {
        return OFPERR_OFPBRC_BAD_VENDOR;
    }
    subtype = rd_u32(&msg->body);
    if (!rd_ok(&msg->body)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    return raw_find(class, msg->version, subtype, &msg->raw) ? 0 : OFPERR_OFPBRC_BAD_SUBTYPE;
}

static enum ofperr
pull_multipart(struct ofp_msg *msg, bool reply)
{
    uint16_t type = rd_u16(&msg->body);
    enum raw_class class = reply ? REP : REQ;
    uint32_t vendor, subtype;

    msg->is_multipart = true;
    msg->mp_flags = rd_u16(&msg->body);
    if (msg->version > OFP10_VERSION) {
        rd_skip(&msg->body, 4);
    }
    if (!rd_ok(&msg->body)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (type != OFPST_EXPERIMENTER) {
        return raw_find(class, msg->version, type, &msg->raw) ? 0 : OFPERR_OFPBRC_BAD_STAT;
    }
    vendor = rd_u32(&msg->body);
    if (!rd_ok(&msg->body)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (!vendor_class(vendor, reply ? NXREP : NXREQ, reply ? ONFREP : ONFREQ, &class)) {
        return OFPERR_OFPBRC_BAD_VENDOR;
    }
    subtype = rd_u32(&msg->body);
    if (msg->version == OFP10_VERSION) {
        rd_skip(&msg->body, 4);
    }
    if (!rd_ok(&msg->body)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    return raw_find(class, msg->version, subtype, &msg->raw) ? 0 : OFPERR_OFPBRC_BAD_SUBTYPE;
}

static enum ofperr
check_size(const struct raw_info *info, size_t size)
{
    size_t extra;

    if (size < info->min_size) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    extra = size - info->min_size;
    return (info->unit ? extra % info->unit : extra) ? OFPERR_OFPBRC_BAD_LEN : 0;
}

/* The header types of multipart messages. */
static uint8_t
multipart_type(uint8_t version, bool reply)
{
    return (version == OFP10_VERSION ? 16 : 18) + reply;
}

enum ofperr
ofp_msg_decode(const void *data, size_t size, struct ofp_msg *msg)
{
    enum ofperr error = 0;
    uint16_t length;
    uint8_t type;

    *msg = (struct ofp_msg){.data = data, .size = size, .body = rd_init(data, size)};
    msg->version = rd_u8(&msg->body);
    type = rd_u8(&msg->body);
    length = rd_u16(&msg->body);
    msg->xid = rd_u32(&msg->body);
    if (!rd_ok(&msg->body) || length != size) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (!ofp_version_is_valid(msg->version)) {
        if (!raw_find(OFPT, msg->version, type, &msg->raw)) {
            return OFPERR_OFPBRC_BAD_VERSION;
        }
    } else if (type == OFPT_EXPERIMENTER) {
        error = pull_experimenter(msg);
    } else if (type == multipart_type(msg->version, false)) {
        error = pull_multipart(msg, false);
    } else if (type == multipart_type(msg->version, true)) {
        error = pull_multipart(msg, true);
    } else if (!raw_find(OFPT, msg->version, type, &msg->raw)) {
        return OFPERR_OFPBRC_BAD_TYPE;
    }
    if (error) {
        return error;
    }
    msg->type = raws[msg->raw].type;
    return check_size(&raws[msg->raw], rd_left(&msg->body));
}

bool
ofp_raw_for(enum ofp_type type, enum ofp_version version, enum ofp_raw *raw)
{
    for (unsigned int i = 0; i < OFPRAW_N; i++) {
        if (raws[i].type == type && version >= raws[i].min_version &&
            version <= raws[i].max_version) {
            *raw = i;
            return true;
        }
    }
    return false;
}

static bool class_is_request(enum raw_class class)
{
    return class == REQ || class == NXREQ || class == ONFREQ;
}

bool
ofp_mp_reply_raw(const struct ofp_msg *request, enum ofp_raw *raw)
{
    const struct raw_info *info = &raws[request->raw];

    return class_is_request(info->class) &&
           raw_find(info->class + 1, request->version, info->number, raw);
}

static void
put_multipart_header(struct wr *out, const struct raw_info *info, enum ofp_version version)
{
    bool standard = info->class == REQ || info->class == REP;

    wr_u16(out, standard ? info->number : OFPST_EXPERIMENTER);
    wr_u16(out, 0);
    if (version > OFP10_VERSION) {
        wr_u32(out, 0);
    }
    if (!standard) {
        bool nx = info->class == NXREQ || info->class == NXREP;

        wr_u32(out, nx ? OFP_VENDOR_NX : OFP_VENDOR_ONF);
        wr_u32(out, info->number);
        if (version == OFP10_VERSION) {
            wr_u32(out, 0);
        }
    }
}

size_t
ofp_msg_begin(struct wr *out, enum ofp_raw raw, enum ofp_version version, uint32_t xid)
{
    const struct raw_info *info = &raws[raw];
    size_t start = out->size;

    wr_u8(out, (uint8_t)version);
    wr_u8(out, 0);
    wr_u16(out, 0);
    wr_u32(out, xid);
    switch (info->class) {
    case OFPT:
        out->data[start + 1] = (uint8_t)info->number;
        break;
    case NXT:
    case ONFT:
        out->data[start + 1] = OFPT_EXPERIMENTER;
        wr_u32(out, info->class == NXT ? OFP_VENDOR_NX : OFP_VENDOR_ONF);
        wr_u32(out, info->number);
        break;
    case REQ:
    case NXREQ:
    case ONFREQ:
        out->data[start + 1] = multipart_type(version, false);
        put_multipart_header(out, info, version);
        break;
    case REP:
    case NXREP:
    case ONFREP:
    case N_CLASSES:
        out->data[start + 1] = multipart_type(version, true);
        put_multipart_header(out, info, version);
        break;
    }
    return start;
}

void
ofp_msg_end(struct wr *out, size_t start)
{
    wr_set_u16(out, start + 2, (uint16_t)(out->size - start));
}

bool
ofp_msg_put_empty(struct wr *out, enum ofp_type type, enum ofp_version version, uint32_t xid)
{
    enum ofp_raw raw;

    if (!ofp_raw_for(type, version, &raw)) {
        return false;
    }
    ofp_msg_end(out, ofp_msg_begin(out, raw, version, xid));
    return true;
}

void
ofp_mp_begin(struct ofp_mp *mp, struct wr *out, enum ofp_raw raw, enum ofp_version version,
             uint32_t xid)
{
    *mp = (struct ofp_mp){.out = out, .raw = raw, .version = version, .xid = xid};
    mp->start = ofp_msg_begin(out, raw, version, xid);
    mp->committed = out->size;
    mp->soft_max = OFP_MSG_MAX;
}

bool
ofp_mp_commit(struct ofp_mp *mp)
{
    size_t entry_size = mp->out->size - mp->committed;
    uint8_t *entry;
    struct wr next = {0};

    if (mp->out->size - mp->start <= mp->soft_max) {
        mp->committed = mp->out->size;
        return true;
    }
    /* Write the header of the next message into the place of the entry, and the entry behind it. */
    ofp_msg_begin(&next, mp->raw, mp->version, mp->xid);
    if (next.size + entry_size > OFP_MSG_MAX) {
        wr_truncate(mp->out, mp->committed);
        wr_fini(&next);
        return false;
    }
    wr_zeros(mp->out, next.size);
    entry = mp->out->data + mp->committed;
    memmove(entry + next.size, entry, entry_size);
    memcpy(entry, next.data, next.size);
    wr_fini(&next);
    wr_set_u16(mp->out, mp->start + 2, (uint16_t)(mp->committed - mp->start));
    wr_set_u16(mp->out, mp->start + OFP_HEADER_SIZE + 2, OFPMPF_MORE);
    mp->start = mp->committed;
    mp->committed = mp->out->size;
    return true;
}

void
ofp_mp_end(struct ofp_mp *mp)
{
    wr_truncate(mp->out, mp->committed);
    ofp_msg_end(mp->out, mp->start);
}
