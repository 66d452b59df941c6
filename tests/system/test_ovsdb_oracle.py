# SPDX-License-Identifier: Apache-2.0
"""Random transactions to Sluice's database and to a stock ovsdb-server: same answers, same
notifications, same contents.

OVSDB_ORACLE_SEEDS and OVSDB_ORACLE_OPS lengthen the run.
"""
import difflib
import json
import os
import random
import re
import socket
import uuid

import pytest

from ovsdb_lib import Server, STOCK, norm

pytestmark = [pytest.mark.rootless,
              pytest.mark.skipif(not os.path.exists(STOCK), reason="no stock ovsdb-server")]

# Exercises what the switch's own schema has little of: reals, weak references in maps, optional
# references, indexes over two columns, sets with limits, self references.
SCHEMA = {
    "name": "Open_vSwitch", "version": "1.0.0",
    "tables": {
        "Root": {"isRoot": True, "maxRows": 4, "indexes": [["name"]], "columns": {
            "name": {"type": "string"},
            "kids": {"type": {"key": {"type": "uuid", "refTable": "Kid"},
                              "min": 0, "max": "unlimited"}},
            "kidmap": {"type": {"key": "string", "value": {"type": "uuid", "refTable": "Kid"},
                                "min": 0, "max": "unlimited"}},
            "fav": {"type": {"key": {"type": "uuid", "refTable": "Kid", "refType": "weak"},
                             "min": 0, "max": 1}},
            "e": {"type": "integer", "ephemeral": True}}},
        "Kid": {"indexes": [["a", "b"]], "columns": {
            "a": {"type": "integer"},
            "b": {"type": {"key": "string", "min": 0, "max": 1}},
            "friends": {"type": {"key": {"type": "uuid", "refTable": "Kid", "refType": "weak"},
                                 "min": 0, "max": 3}},
            "next": {"type": {"key": {"type": "uuid", "refTable": "Kid"}, "min": 0, "max": 1}},
            "wmap": {"type": {"key": "integer",
                              "value": {"type": "uuid", "refTable": "Root", "refType": "weak"},
                              "min": 0, "max": "unlimited"}}}},
        "Val": {"isRoot": True, "columns": {
            "i": {"type": {"key": {"type": "integer", "minInteger": -5, "maxInteger": 100}}},
            "oi": {"type": {"key": "integer", "min": 0, "max": 1}},
            "is": {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 9},
                            "min": 0, "max": 4}},
            "i1": {"type": {"key": "integer", "min": 1, "max": 3}},
            "r": {"type": "real"},
            "rs": {"type": {"key": {"type": "real", "minReal": 0.0, "maxReal": 10.0},
                            "min": 0, "max": "unlimited"}},
            "flag": {"type": "boolean"},
            "ob": {"type": {"key": "boolean", "min": 0, "max": 1}},
            "s": {"type": {"key": {"type": "string", "minLength": 0, "maxLength": 4}}},
            "en": {"type": {"key": {"type": "string", "enum": ["set", ["x", "y", "z"]]},
                            "min": 0, "max": 2}},
            "ss": {"type": {"key": "string", "min": 0, "max": "unlimited"}},
            "m": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
            "im": {"type": {"key": "integer", "value": "boolean", "min": 0, "max": 2}},
            "u": {"type": {"key": "uuid", "min": 0, "max": 1}},
            "fixed": {"type": "integer", "mutable": False},
            "em": {"type": {"key": "string", "value": "integer", "min": 0, "max": "unlimited"},
                   "ephemeral": True}}},
    },
}


UUID = re.compile("[0-9a-f]{8}-[0-9a-f-]{27}")


class Maker:
    """Makes random operations about rows that mostly exist."""

    def __init__(self, rng):
        self.rng = rng
        self.known = {t: [] for t in SCHEMA["tables"]}
        self.names = []

    def pick_uuid(self, table, names=True):
        r = self.rng.random()
        named = [n for n, t in self.names if t == table]
        if names and named and r < 0.4:
            return ["named-uuid", self.rng.choice(named)]
        if self.known.get(table) and r < 0.95:
            return ["uuid", self.rng.choice(self.known[table])]
        return ["uuid", self.new_uuid()]

    def new_uuid(self):
        return str(uuid.UUID(int=self.rng.getrandbits(128)))

    def atom(self, base, names):
        rng = self.rng
        base = {"type": base} if isinstance(base, str) else base
        kind = base["type"]
        if rng.random() < 0.01:
            return rng.choice([None, "bad", 7, {}, [], True])
        if "enum" in base:
            return rng.choice(["x", "y", "z", "q"] if rng.random() < 0.1 else ["x", "y", "z"])
        if kind == "integer":
            return rng.choice([0, 1, 2, 3, 4, rng.randint(-7, 12), 100] +
                              ([rng.randint(-2**63, 2**63 - 1)] if rng.random() < 0.1 else []))
        if kind == "real":
            return rng.choice([0, 1, 0.5, 2.25, -1.5, 3])
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "string":
            return rng.choice(["", "a", "b", "c", "é", "dd", "longer"])
        return self.pick_uuid(base.get("refTable", "Val"), names)

    def value(self, t, names=True):
        rng = self.rng
        if isinstance(t, str):
            return self.atom(t, names)
        lo, hi = t.get("min", 1), t.get("max", 1)
        hi = 4 if hi == "unlimited" else hi
        n = rng.randint(lo, hi) if rng.random() < 0.97 else rng.randint(0, hi + 1)
        if "value" in t:
            keys = [self.atom(t["key"], names) for _ in range(n)]
            return ["map", [[k, self.atom(t["value"], names)] for k in self.distinct(keys)]]
        if n == 1 and rng.random() < 0.7:
            return self.atom(t["key"], names)
        return ["set", self.distinct([self.atom(t["key"], names) for _ in range(n)])]

    def distinct(self, values):
        if self.rng.random() < 0.02:
            return values
        seen, out = set(), []
        for v in values:
            if json.dumps(v) not in seen:
                seen.add(json.dumps(v))
                out.append(v)
        return out

    def table(self):
        return self.rng.choice(["Root", "Kid", "Kid", "Val"])

    def column(self, table):
        return self.rng.choice(list(SCHEMA["tables"][table]["columns"]))

    def type_of(self, table, column):
        return SCHEMA["tables"][table]["columns"][column]["type"]

    def row(self, table, fixed=True):
        columns = SCHEMA["tables"][table]["columns"]
        chosen = self.rng.sample(list(columns), self.rng.randint(0, min(4, len(columns))))
        return {c: self.value(columns[c]["type"]) for c in chosen
                if fixed or columns[c].get("mutable", True)}

    def where(self, table):
        rng = self.rng
        if rng.random() < 0.25:
            return []
        if rng.random() < 0.6:
            return [["_uuid", "==", self.pick_uuid(table)]]
        clauses = []
        for _ in range(rng.randint(1, 2)):
            c = self.column(table)
            f = rng.choice(["==", "!=", "includes", "excludes", "<", "<=", ">", ">="])
            clauses.append([c, f, self.value(self.type_of(table, c), False)])
        return clauses

    def mutation(self, table):
        rng = self.rng
        c = self.column(table)
        t = self.type_of(table, c)
        kind = t if isinstance(t, str) else t["key"] if isinstance(t["key"], str) \
            else t["key"]["type"]
        if kind in ("integer", "real") and rng.random() < 0.7:
            m = rng.choice(["+=", "-=", "*=", "/=", "%="])
            args = [0, 1, 2, 3, -1]
            if kind == "integer" and m in ("+=", "-="):
                args.append(2**62)
            return [c, m, rng.choice(args)]
        m = rng.choice(["insert", "delete"])
        return [c, m, self.value(t, False)]

    def op(self):
        rng = self.rng
        table = self.table()
        kind = rng.choices(["insert", "update", "mutate", "delete", "select", "wait", "comment",
                            "abort", "assert", "commit", "junk"],
                           [30, 18, 18, 6, 10, 4, 1, 1, 1, 1, 1])[0]
        if kind == "insert":
            op = {"op": "insert", "table": table, "row": self.row(table), "uuid": self.new_uuid()}
            if rng.random() < 0.6:
                name = f"n{rng.randint(0, 30)}"
                op["uuid-name"] = name
                self.names.append((name, table))
            return op
        if kind == "update":
            return {"op": "update", "table": table, "where": self.where(table),
                    "row": self.row(table, rng.random() < 0.05)}
        if kind == "mutate":
            return {"op": "mutate", "table": table, "where": self.where(table),
                    "mutations": [self.mutation(table) for _ in range(rng.randint(1, 2))]}
        if kind == "delete":
            return {"op": "delete", "table": table, "where": self.where(table)}
        if kind == "select":
            op = {"op": "select", "table": table, "where": self.where(table)}
            columns = list(SCHEMA["tables"][table]["columns"])
            op["columns"] = rng.sample(columns, rng.randint(1, len(columns)))
            return op
        if kind == "wait":
            columns = list(SCHEMA["tables"][table]["columns"])
            columns = rng.sample(columns, rng.randint(1, 2))
            types = SCHEMA["tables"][table]["columns"]
            return {"op": "wait", "table": table, "where": self.where(table), "columns": columns,
                    "until": rng.choice(["==", "!="]), "timeout": 0,
                    "rows": [{c: self.value(types[c]["type"], False) for c in columns}
                             for _ in range(rng.randint(0, 2))]}
        if kind == "junk":
            return rng.choice([5, {}, {"op": "nosuch"}, {"op": "insert"},
                               {"op": "select", "table": "Nope", "where": []},
                               {"op": "insert", "table": "Val", "row": {"nope": 1}},
                               {"op": "update", "table": "Val", "where": [["nope", "==", 1]],
                                "row": {}}])
        return {"comment": {"op": "comment", "comment": "c"}, "abort": {"op": "abort"},
                "assert": {"op": "assert", "lock": "nolock"},
                "commit": {"op": "commit", "durable": False}}[kind]

    def adoption(self):
        """A new row outside the root set, and a row that refers to it."""
        rng = self.rng
        name = f"k{rng.randint(0, 1000)}"
        kid = ["named-uuid", name]
        row = self.row("Kid")
        row.pop("next", None)
        row["a"] = rng.randint(0, 10**6)
        insert = {"op": "insert", "table": "Kid", "row": row, "uuid-name": name}
        self.names.append((name, "Kid"))
        if rng.random() < 0.3:
            ref = {"op": "insert", "table": "Root",
                   "row": {"name": f"r{rng.randint(0, 5)}", "kids": kid, "fav": kid}}
        elif rng.random() < 0.3:
            ref = {"op": "update", "table": "Kid",
                   "where": [["_uuid", "==", self.pick_uuid("Kid")]],
                   "row": {"next": kid, "friends": ["set", [kid]]}}
        elif rng.random() < 0.5:
            ref = {"op": "mutate", "table": "Root", "where": [],
                   "mutations": [["kidmap", "insert", ["map", [[rng.choice("abc"), kid]]]]]}
        else:
            ref = {"op": "mutate", "table": "Root",
                   "where": [["_uuid", "==", self.pick_uuid("Root", False)]],
                   "mutations": [["kids", "insert", ["set", [kid]]]]}
        if rng.random() < 0.2:
            return [ref, insert]  # the name before its declaration
        insert["uuid"] = self.new_uuid()
        return [insert, ref]

    def transaction(self):
        self.names = []
        ops = self.adoption() if self.rng.random() < 0.4 else []
        return ops + [self.op() for _ in range(self.rng.choice([0, 1, 1, 2, 3, 6]) or not ops)]


class Pair:
    """The two servers, with UUIDs that they made themselves mapped onto each other."""

    def __init__(self, servers):
        self.servers = servers
        self.rpcs = [s.rpc() for s in servers]
        self.to_stock = {}

    def translate(self, value):
        """Sluice's UUIDs in 'value' replaced by those of the stock server."""
        text = json.dumps(value)
        for ours, theirs in self.to_stock.items():
            if ours in text:
                text = text.replace(ours, theirs)
        return json.loads(text)

    def transact(self, ops):
        ours = self.rpcs[0].call("transact", ["Open_vSwitch"] + ops)
        theirs = self.rpcs[1].call("transact", ["Open_vSwitch"] + self.translate(ops))
        if ours[0] is not None and theirs[0] is not None:
            for a, b in zip(ours[0], theirs[0]):
                if isinstance(a, dict) and isinstance(b, dict) and "uuid" in a and "uuid" in b:
                    self.to_stock[a["uuid"][1]] = b["uuid"][1]
        return ours, theirs


def strip(result):
    """Results without the texts meant for people."""
    if not isinstance(result, list):
        return result
    out = []
    for r in result:
        if isinstance(r, dict) and "error" in r:
            # Which one of two bad values is met first is nobody's promise.
            bad_value = r["error"] in ("syntax error", "constraint violation", "ovsdb error")
            out.append({"error": "bad value" if bad_value else r["error"]})
        elif isinstance(r, dict) and "rows" in r:
            out.append({"rows": sorted((norm(row) for row in r["rows"]), key=json.dumps)})
        else:
            out.append(r)
    return out


def contents(rpc):
    dump = {}
    for table, spec in SCHEMA["tables"].items():
        columns = ["_uuid"] + list(spec["columns"])
        rows = rpc.transact({"op": "select", "table": table, "where": [], "columns": columns})
        dump[table] = {r["_uuid"][1]: norm(r) for r in rows[0]["rows"]}
    return dump


def monitor(rpc):
    requests = {t: [{"columns": list(s["columns"])}] for t, s in SCHEMA["tables"].items()}
    got = []
    for method, mon_id in (("monitor", "m1"), ("monitor_cond", "m2")):
        result, error = rpc.call(method, ["Open_vSwitch", mon_id, requests])
        assert error is None
        got.append(result)
    conditional = {"Val": [{"columns": ["i", "m"], "where": [["i", ">", 2], ["flag", "==", True]]}],
                   "Kid": [{"where": [False], "columns": ["a"]}]}
    result, error = rpc.call("monitor_cond_since", ["Open_vSwitch", "m3", conditional,
                                                    str(uuid.UUID(int=0))])
    assert error is None and result[0] is False
    return got + [result[2]]


def effective(notes):
    """Notifications without empty changes, which the stock server sends now and then."""
    out = []
    for note in notes:
        updates = {}
        for table, rows in note["params"][-1].items():
            rows = {u: c for u, c in rows.items() if c != {"modify": {}}}
            if rows:
                updates[table] = rows
        if updates:
            out.append([note["method"], note["params"][:-1], norm(updates)])
    return out


class StockDangles(Exception):
    """The stock server has a weak reference to a deleted row, which RFC 7047 paragraph 3.2 does
    not allow (3.1 forgets some when a transaction was undone): it is no oracle from here on."""


WEAK = [("Root", "fav", "Kid"), ("Kid", "friends", "Kid"), ("Kid", "wmap", "Root")]


def dangles(dump):
    for table, column, target in WEAK:
        for row in dump[table].values():
            text = json.dumps(row[column])
            if any(u not in dump[target] for u in UUID.findall(text)):
                return True
    return False


def same(ours, theirs, context, stock=None):
    """Asserts equality; a failure shows only what differs."""
    if ours != theirs:
        if stock is not None and dangles(contents(stock)):
            raise StockDangles
        a, b = (json.dumps(v, indent=1, sort_keys=True).splitlines() for v in (ours, theirs))
        diff = "\n".join(difflib.unified_diff(a, b, "ours", "stock", lineterm="", n=6))
        pytest.fail(f"{context}\n{diff}")


def compare_one(pair, maker, watchers, context):
    ops = maker.transaction()
    ours, theirs = pair.transact(ops)
    stock = pair.rpcs[1]
    context += f": {json.dumps(ops)}\nours   {ours}\nstock  {theirs}"
    assert (ours[1] is None) == (theirs[1] is None), context
    same(strip(pair.translate(ours[0])), strip(theirs[0]), context, stock)
    if maker.rng.random() < 0.2:
        mine = contents(pair.rpcs[0])
        same(norm(pair.translate(mine)), contents(stock), context, stock)
        maker.known = {t: sorted(mine[t]) for t in mine}
    compare_notes(pair, watchers, context)
    if maker.rng.random() < 0.05:
        where = [c for c in maker.where("Val") if c[0] != "_uuid"]
        change = ["m3", "m3", {"Val": [{"where": where}]}]
        replies = [watchers[0].call("monitor_cond_change", change),
                   watchers[1].call("monitor_cond_change", pair.translate(change))]
        assert (replies[0][1] is None) == (replies[1][1] is None), (context, change, replies)
        compare_notes(pair, watchers, f"{context}\n{change}")


def compare_notes(pair, watchers, context):
    notes = [w.take_notes() for w in watchers]
    same(effective(pair.translate(notes[0])), effective(notes[1]), context, pair.rpcs[1])


def run_seed(pair, seed, count):
    """Returns how many of 'count' transactions were compared."""
    rng = random.Random(seed)
    maker = Maker(rng)
    watchers = [s.rpc() for s in pair.servers]
    for w in watchers:
        monitor(w)
    for i in range(count):
        try:
            compare_one(pair, maker, watchers, f"seed {seed}, transaction {i}")
        except StockDangles:
            return i
        except EOFError:
            assert pair.servers[0].process.poll() is None, pair.servers[0].read_log()
            return i  # the stock server has crashed
    return count


@pytest.fixture
def make_server():
    made = []

    def make(kind="sluice", **kw):
        server = Server(kind, remotes=(), **kw)
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()


@pytest.fixture
def schema_file(tmp_path):
    path = tmp_path / "test.ovsschema"
    path.write_text(json.dumps(SCHEMA))
    return str(path)


ECHO = '{"id":9,"method":"echo","params":["still here"]}'
# Texts of which each is sent on a connection of its own, with a good request behind it.
MESSAGES = [
    "", " \n\t", ECHO, ECHO + ECHO, ECHO.replace("9", "null"), ECHO.replace('"id":9,', ""),
    ECHO.replace(',"params":["still here"]', ""), ECHO.replace('["still here"]', "null"),
    ECHO.replace('["still here"]', "{}"), ECHO.replace('["still here"]', "7"),
    ECHO.replace('"echo"', "7"), ECHO.replace('"echo"', "null"), ECHO.replace('"echo"', '"nosuch"'),
    ECHO.replace("9", "[1,{}]"), ECHO.replace("9", '"x"'), ECHO.replace("9", "1.5"),
    ECHO.replace("{", '{"jsonrpc":"2.0",', 1), ECHO.replace("{", '{"result":null,"error":null,', 1),
    ECHO.replace("{", '{"result":1,', 1), ECHO.replace("{", '{"error":1,', 1),
    '{"id":1,"result":{},"error":null}', '{"id":1,"result":null,"error":"x"}',
    '{"id":1,"result":null,"error":null}', '{"id":1,"result":1,"error":1}', '{"id":1,"result":1}',
    '{"id":1,"error":1}', '{"id":null,"result":1,"error":null}', '{"id":"echo","result":[],"error":null}',
    '{"id":"echo","result":[]}', '{"id":1}', '{"method":"cancel","params":[1],"id":null}',
    '{"method":"cancel","params":[],"id":null}', '{"method":"nosuch","params":[],"id":null}',
    '{"method":"transact","params":["Open_vSwitch"],"id":null}', '{"id":2,"method":"cancel","params":[1]}',
    "{}", "[]", "[1]", "7", '"x"', "null", "true", "{]", '{"id":1,"id":2,"method":"echo","params":[]}',
    '{"id":3,"method":"list_dbs","params":[1]}', '{"id":3,"method":"get_schema","params":[]}',
    '{"id":3,"method":"get_schema","params":["nosuch"]}', '{"id":3,"method":"get_schema","params":[1]}',
    '{"id":3,"method":"transact","params":[]}', '{"id":3,"method":"transact","params":[{}]}',
    '{"id":3,"method":"lock","params":[]}', '{"id":3,"method":"lock","params":[1]}',
    '{"id":3,"method":"unlock","params":["never"]}', '{"id":3,"method":"steal","params":["a","b"]}',
    '{"id":3,"method":"monitor_cancel","params":[1]}', '{"id":3,"method":"monitor","params":[]}',
    '{"id":3,"method":"monitor_cond_change","params":[1,2,{}]}',
    '{"id":3,"method":"set_db_change_aware","params":[1]}',
    '{"id":3,"method":"set_db_change_aware","params":[]}',
]


def conversation(server, text):
    """What comes back for 'text' and an echo behind it; None at the end if the session is over."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(server.sock)
        try:
            s.sendall((text + '{"id":"last","method":"echo","params":[]}').encode())
            got = b""
            while b'"last"' not in got:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
            over = b'"last"' not in got
        except ConnectionError:
            over = True
    found, decoder, rest = [], json.JSONDecoder(), got.decode()
    while rest:
        message, end = decoder.raw_decode(rest)
        found.append(message)
        rest = rest[end:]
    return found + [None] * over


@pytest.mark.parametrize("text", MESSAGES)
def test_messages_of_every_form(make_server, schema_file, text):
    """RFC 7047 4: answered, passed over, or the end of the session."""
    ours = make_server("sluice", schema=schema_file, args=["--schema", schema_file])
    theirs = make_server("stock", schema=schema_file)
    ours, theirs = [conversation(server, text) for server in (ours, theirs)]
    if any(m and m.get("error") for m in theirs):  # the words are compared elsewhere
        ours, theirs = [[m and dict(m, error=bool(m["error"])) for m in found]
                        for found in (ours, theirs)]
    assert ours == theirs


@pytest.mark.parametrize("seed", range(int(os.environ.get("OVSDB_ORACLE_SEEDS", "3"))))
def test_random_transactions(make_server, schema_file, seed):
    count = int(os.environ.get("OVSDB_ORACLE_OPS", "300"))
    ours = make_server("sluice", schema=schema_file, args=["--schema", schema_file])
    pair = Pair([ours, make_server("stock", schema=schema_file)])
    compared = run_seed(pair, seed, count)
    assert compared > 5
    if compared < count:
        return

    # Each server reads what the other one wrote, and both come back with what they had.
    for server, other in zip(pair.servers, ("stock", "sluice")):
        before = contents(server.rpc())
        server.stop()
        server.kind = other
        server.args = ["--schema", schema_file] if other == "sluice" else []
        server.start()
        for row in before["Root"].values():
            row["e"] = 0
        for row in before["Val"].values():
            row["em"] = ["map", []]
        same(contents(server.rpc()), before,
             f"{other} reads the journal of the other: {server.read_log()}")
