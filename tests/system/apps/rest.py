# SPDX-License-Identifier: Apache-2.0
"""os-ken's ofctl library behind HTTP, as its ofctl_rest application offers it (Debian's package has the
library, not the application): GET /stats/WHAT/DPID, POST /stats/WHAT with {"dpid": N, ...} and
POST /stats/flow/DPID with a filter.  Listens at the Unix socket REST_SOCKET.
"""
import json
import os
import socket

import eventlet
from eventlet import wsgi
from os_ken.base import app_manager
from os_ken.controller import dpset, ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub, ofctl_v1_0, ofctl_v1_2, ofctl_v1_3, ofctl_v1_4, ofctl_v1_5

LIBRARY = {1: ofctl_v1_0, 3: ofctl_v1_2, 4: ofctl_v1_3, 5: ofctl_v1_4, 6: ofctl_v1_5}

ASK = {"desc": "get_desc_stats", "aggregateflow": "get_aggregate_flow_stats",
       "table": "get_table_stats", "tablefeatures": "get_table_features",
       "port": "get_port_stats", "portdesc": "get_port_desc", "queue": "get_queue_stats",
       "group": "get_group_stats", "groupdesc": "get_group_desc",
       "groupfeatures": "get_group_features", "meter": "get_meter_stats",
       "meterconfig": "get_meter_config", "meterdesc": "get_meter_desc",
       "meterfeatures": "get_meter_features", "role": "get_role", "flow": "get_flow_stats",
       "flowdesc": "get_flow_desc_stats", "queueconfig": "get_queue_config",
       "queuedesc": "get_queue_desc"}


class Rest(app_manager.OSKenApp):
    OFP_VERSIONS = list(LIBRARY)
    _CONTEXTS = {"dpset": dpset.DPSet}

    def __init__(self, *args, dpset, **kwargs):
        super().__init__(*args, **kwargs)
        self.dpset = dpset
        self.waiters = {}
        self.errors = []
        server = eventlet.listen(os.environ["REST_SOCKET"], family=socket.AF_UNIX)
        hub.spawn(wsgi.server, server, self.serve, log_output=False)

    # Replies go to whoever waits for their transaction.
    def reply(self, event):
        msg = event.msg
        waiting = self.waiters.get(msg.datapath.id, {})
        if msg.xid not in waiting:
            return
        lock, messages = waiting[msg.xid]
        messages.append(msg)
        more = getattr(msg.datapath.ofproto, "OFPMPF_REPLY_MORE", 1)
        if not getattr(msg, "flags", 0) & more:
            del waiting[msg.xid]
            lock.set()

    @set_ev_cls(ofp_event.EventOFPErrorMsg, MAIN_DISPATCHER)
    def error(self, event):
        self.errors.append([event.msg.type, event.msg.code])
        waiting = self.waiters.get(event.msg.datapath.id, {})
        if event.msg.xid in waiting:
            waiting.pop(event.msg.xid)[0].set()

    def serve(self, environ, start_response):
        path = environ["PATH_INFO"].strip("/").split("/")
        body = environ["wsgi.input"].read()
        try:
            answer = self.answer(environ["REQUEST_METHOD"], path[1:], json.loads(body or "{}"))
            start_response("200 OK", [("Content-Type", "application/json")])
        except Exception as e:  # to the test, which knows what it asked for
            answer = "%s: %s" % (type(e).__name__, e)
            start_response("500 Internal Server Error", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    def answer(self, method, path, body):
        what = path[0]
        if what == "switches":
            return list(self.dpset.dps)
        if what == "errors":
            return self.errors
        dp = self.dpset.get(int(path[1] if len(path) > 1 and what not in
                                ("flowentry", "groupentry", "meterentry") else body["dpid"]))
        ofp = dp.ofproto
        library = LIBRARY[ofp.OFP_VERSION]
        if what in ASK:
            args = [body] if method == "POST" and what in ("flow", "aggregateflow", "flowdesc") else []
            return getattr(library, ASK[what])(dp, self.waiters, *args)
        command = path[1] if len(path) > 1 else None
        if what == "flowentry":
            library.mod_flow_entry(dp, body, {
                "add": ofp.OFPFC_ADD, "modify": ofp.OFPFC_MODIFY, "delete": ofp.OFPFC_DELETE,
                "modify_strict": ofp.OFPFC_MODIFY_STRICT,
                "delete_strict": ofp.OFPFC_DELETE_STRICT}[command])
        elif what == "groupentry":
            library.mod_group_entry(dp, body, {"add": ofp.OFPGC_ADD, "modify": ofp.OFPGC_MODIFY,
                                               "delete": ofp.OFPGC_DELETE}[command])
        elif what == "meterentry":
            library.mod_meter_entry(dp, body, {"add": ofp.OFPMC_ADD, "modify": ofp.OFPMC_MODIFY,
                                               "delete": ofp.OFPMC_DELETE}[command])
        elif what == "portdesc_modify":
            library.mod_port_behavior(dp, body)
        else:
            raise LookupError(what)
        return "sent"


def _handle_replies():
    """Every statistics reply of this version comes to reply()."""
    names = [n for n in dir(ofp_event) if n.startswith("EventOFP") and n.endswith("Reply")]
    events = [getattr(ofp_event, n) for n in names]
    Rest.reply = set_ev_cls(events, MAIN_DISPATCHER)(Rest.reply)


_handle_replies()
