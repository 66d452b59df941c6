# SPDX-License-Identifier: Apache-2.0
"""A learning switch on os-ken, in whichever of OpenFlow 1.0, 1.2 and up the switch agrees to.

What os-ken's examples do: a frame that no flow takes comes here; where its source is gets remembered;
when its destination is known a flow is added for it; the frame goes back as a packet-out.  Each
event is one line on standard output, for the test to read: LEARNER, the datapath's number, the event.
"""
from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import addrconv
from os_ken.lib.packet import ether_types, ethernet, packet


def say(dp, *words):
    print("LEARNER", dp.id, *words, flush=True)


class Learner(app_manager.OSKenApp):
    OFP_VERSIONS = [1, 3, 4, 5, 6]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.where = {}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, event):
        dp = event.msg.datapath
        say(dp, "features", dp.ofproto.OFP_VERSION, event.msg.n_tables)
        if dp.ofproto.OFP_VERSION > 1:
            ofp, parser = dp.ofproto, dp.ofproto_parser
            self.add_flow(dp, parser.OFPMatch(), 0, [parser.OFPActionOutput(
                ofp.OFPP_CONTROLLER, ofp.OFPCML_NO_BUFFER)], 0)

    def add_flow(self, dp, match, priority, actions, flags):
        parser, ofp = dp.ofproto_parser, dp.ofproto
        if ofp.OFP_VERSION == 1:
            mod = parser.OFPFlowMod(datapath=dp, match=match, cookie=0, command=ofp.OFPFC_ADD,
                                    idle_timeout=0, hard_timeout=0, priority=priority, flags=flags,
                                    actions=actions)
        else:
            mod = parser.OFPFlowMod(datapath=dp, match=match, cookie=0, command=ofp.OFPFC_ADD,
                                    priority=priority, flags=flags, instructions=[
                                        parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS,
                                                                     actions)])
        dp.send_msg(mod)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        msg = event.msg
        dp, parser, ofp = msg.datapath, msg.datapath.ofproto_parser, msg.datapath.ofproto
        version = ofp.OFP_VERSION
        in_port = msg.in_port if version == 1 else msg.match["in_port"]
        eth = packet.Packet(msg.data).get_protocols(ethernet.ethernet)[0]
        if eth.ethertype in (ether_types.ETH_TYPE_LLDP, ether_types.ETH_TYPE_IPV6):
            return
        say(dp, "packet-in", in_port, eth.src, eth.dst, msg.reason, msg.total_len, len(msg.data))
        known = self.where.setdefault(dp.id, {})
        known[eth.src] = in_port
        out = known.get(eth.dst, ofp.OFPP_FLOOD)
        actions = [parser.OFPActionOutput(out)]
        if out != ofp.OFPP_FLOOD:
            if version == 1:
                match = parser.OFPMatch(in_port=in_port, dl_dst=addrconv.mac.text_to_bin(eth.dst),
                                        dl_src=addrconv.mac.text_to_bin(eth.src))
            else:
                match = parser.OFPMatch(in_port=in_port, eth_dst=eth.dst, eth_src=eth.src)
            self.add_flow(dp, match, 1, actions, ofp.OFPFF_SEND_FLOW_REM)
        data = msg.data if msg.buffer_id == ofp.OFP_NO_BUFFER else None
        where = {"match": parser.OFPMatch(in_port=in_port)} if version == 6 else {"in_port": in_port}
        dp.send_msg(parser.OFPPacketOut(datapath=dp, buffer_id=msg.buffer_id, actions=actions,
                                        data=data, **where))

    @set_ev_cls(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def port_status(self, event):
        reasons = {event.msg.datapath.ofproto.OFPPR_ADD: "add",
                   event.msg.datapath.ofproto.OFPPR_DELETE: "delete",
                   event.msg.datapath.ofproto.OFPPR_MODIFY: "modify"}
        name = event.msg.desc.name
        name = name.decode() if isinstance(name, bytes) else name
        say(event.msg.datapath, "port", reasons[event.msg.reason], name.rstrip("\0"), event.msg.desc.port_no)

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def flow_removed(self, event):
        say(event.msg.datapath, "removed", event.msg.reason, event.msg.priority)

    @set_ev_cls(ofp_event.EventOFPErrorMsg, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def error(self, event):
        say(event.msg.datapath, "error", event.msg.type, event.msg.code)
