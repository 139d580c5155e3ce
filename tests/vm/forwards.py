"""The ways maglb forwards by tunnel, each with the Linux device that is to understand it.

What maglb can't do yet is listed here with its reason and nowhere else: emptying a reason turns on its cases.
"""

import dataclasses

GUE_PORT = 6080
HEADER = {4: 20, 6: 40}


@dataclasses.dataclass(frozen=True)
class Forward:
    """`inner` is the service's family, `outer` the backend's; `extra` what lies between the two headers."""

    mode: str
    inner: int = 4
    outer: int = 4
    extra: int = 0
    more: dict = dataclasses.field(default_factory=dict)  # of the service in maglb.yaml
    options: str = ""  # of the guest's device

    @property
    def name(self):
        more = "".join(f"-{key}{value}" for key, value in self.more.items()).replace(f"{self.mode}_", "")
        return f"{self.mode}{more}-{self.inner}in{self.outer}"

    @property
    def overhead(self):
        return HEADER[self.outer] + self.extra

    @property
    def port(self):
        return self.more.get("gue_port", GUE_PORT) if self.mode == "gue" else 0

    @property
    def decap_options(self):
        names = {"gre_key": "--gre-key", "gue_port": "--gue-port"}
        return [word for key, value in self.more.items() for word in (names[key], str(value))]

    @property
    def device(self):
        if self.mode == "gre":
            return "gre" if self.outer == 4 else "ip6gre"
        if self.outer == 6:
            return "ip6tnl mode any"
        return "ipip" if self.inner == 4 else "sit"


FORWARDS = [
    Forward("ipip"),
    Forward("ipip", 6, 4),
    Forward("ipip", 4, 6),
    Forward("ipip", 6, 6),
    Forward("gre", extra=4),
    Forward("gre", extra=8, more={"gre_key": 77}, options="key 77"),
    Forward("gre", 6, 4, extra=4),
    Forward("gre", 4, 6, extra=4),
    Forward("gre", 6, 6, extra=4),
    Forward("gue", extra=12),
    Forward("gue", extra=12, more={"gue_port": 6635}),
    Forward("gue", 6, 4, extra=12),
    Forward("gue", 4, 6, extra=12),
    Forward("gue", 6, 6, extra=12),
]
