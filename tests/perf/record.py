# SPDX-License-Identifier: Apache-2.0
"""What a run of the bench has found so far, kept in a file so that an interrupted one can go on."""
import json
import os
import statistics

# What must agree for the rounds of two runs to be of one table.
SAME_MACHINE = ("cpu", "cores", "kernel", "dpdk", "commit", "compiler", "flags")
SAME_OPTIONS = ("rounds", "windows", "seconds")


class Record:
    """rows: {name: {kind: {"metrics": {key: figures}, "rounds": [...], "errors": [...]}}};
    judged: {name: {metric's key: ratio, goal and verdict}}."""

    def __init__(self, path, machine, options):
        self.path = path
        self.data = {"machine": machine, "options": options, "rows": {}, "source_and_sink": {},
                     "judged": {}}

    def resume(self, path):
        """Takes over what the file has; SystemExit where it is of something else."""
        try:
            with open(path) as f:
                old = json.load(f)
        except (OSError, ValueError) as e:
            raise SystemExit("bench: cannot resume: %s" % e) from None
        for part, keys in (("machine", SAME_MACHINE), ("options", SAME_OPTIONS)):
            for key in keys:
                was, now = old.get(part, {}).get(key), self.data[part][key]
                if was != now:
                    raise SystemExit("bench: cannot resume: %s is of %s %s, this run of %s"
                                     % (path, key, was, now))
        self.data["rows"] = old["rows"]
        for row in self.data["rows"].values():
            for result in row.values():
                result["errors"] = []  # those rounds have another chance
        self.data["source_and_sink"] = old["source_and_sink"]
        self.data["judged"] = old.get("judged", {})

    def row(self, name, kinds):
        """The results of a row, made where there are none."""
        rows = self.data["rows"].setdefault(name, {})
        for kind in kinds:
            rows.setdefault(kind, {"metrics": {}, "rounds": [], "errors": []})
        return rows

    def done(self, name, kind):
        """Rounds of the row that are over, well or not."""
        one = self.data["rows"].get(name, {}).get(kind)
        return len(one["rounds"]) + len(one["errors"]) if one else 0

    def add(self, row, kind, answer=None, error=None):
        """A round's figures or why there are none; it is in the file when this returns."""
        result = self.data["rows"][row.name][kind]
        if error is not None:
            result["errors"].append(error)
        else:
            result["rounds"].append(answer)
        for metric in row.metrics:
            values = [r[metric.key] for r in result["rounds"] if metric.key in r]
            if values:
                result["metrics"][metric.key] = {"median": statistics.median(values),
                                                 "spread": max(values) - min(values)}
        self.save()

    def judge(self, name, judged):
        """What is to be said of a row whose rounds are over."""
        self.data["judged"][name] = judged
        self.save()

    def save(self):
        """The file is always whole: the old one or the new one."""
        if self.path:
            with open(self.path + ".new", "w") as f:
                json.dump(self.data, f, indent=1)
            os.replace(self.path + ".new", self.path)
