"""Measures popvault beside plain doings of the same, in one run, and prints one table. docs/BENCH.md tells how to read it.

    run.py [--part PART] [--records N] [--playwright] [--json FILE] [--rounds N]     with POPVAULT_BUILD naming the build folder
"""

import argparse
import os
import platform
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), HERE]
import daemon  # noqa: E402
import fills  # noqa: E402
import gate  # noqa: E402
import guarded  # noqa: E402
import guarded_fills  # noqa: E402
import vault  # noqa: E402
from measure import table, write_json  # noqa: E402
from playwright import Playwright  # noqa: E402
from support.home import PASSPHRASE  # noqa: E402
from support.market import Market  # noqa: E402
from support.shop import Shop  # noqa: E402


def say(text):
    print("  " + text, file=sys.stderr, flush=True)


class Agents:
    """A new agent per measurement: what one agent may ask in a minute is bounded."""

    def __init__(self, market):
        self.market = market

    def __call__(self, name):
        market = self.market
        key = market.home.add_agent(name)["key"]
        market.home.set_policy(name, merchant=market.shop.origin, processors=[market.shop.processor.origin], per_use="100.00",
                               per_day="5000.00", strength="dom", more=("--ask-above", "50.00"), passphrase=PASSPHRASE)
        return market.home.agent(key, "bench")


def surroundings(**more):
    return {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version(), **more}


def purchases(order):
    """Everything but the vault's own part."""
    say("starting daemon, shop and browser")
    with Market() as market:
        playwright = Playwright(market.chromium.endpoint, order.playwright)
        try:
            agents = Agents(market)
            rows = daemon.memory(market.home, say)
            rows = fills.rows(market, agents, playwright, order.rounds, say) + rows
            rows[-2:-2] = [*daemon.unlock(market.home, order.rounds, say), *daemon.commit(market, agents, order.rounds, say),
                           *daemon.trips(market.home, agents, order.rounds, say)]
            return rows, {"browser": market.browser.version["Browser"],
                          "playwright": playwright.version if playwright.there else None}
        finally:
            playwright.close()


def measure(order):
    rows, around = [], {}
    if order.part in ("all", "purchases"):
        rows, around = purchases(order)
    if order.part in ("all", "guard"):
        rows += guarded_fills.rows(order.rounds, order.playwright, say)
        with Shop() as shop:
            rows += guarded.rows(shop, order.rounds, say)
    if order.part in ("all", "gate"):
        rows += gate.rows(order.rounds, say)
    if order.part in ("all", "vault"):
        around["records"] = order.records
        rows += vault.rows(order.records, order.rounds, say)
    return rows, surroundings(**around)


def main():
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("--part", choices=("all", "purchases", "guard", "vault", "gate"), default="all", help="what to measure (default all)")
    parser.add_argument("--records", type=int, metavar="N",
                        help="records of the large vault, 100 to 100000 (default 10000 with --part vault, else 1000)")
    parser.add_argument("--playwright", action="store_true", help="install stock Playwright (npm) if it is not there")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="runs per measurement, 5 to 25 (default 15)")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)  # the options only, before the build
    order = parser.parse_args()
    # 60 requests and fills at once are what one agent may do, and each run needs two.
    if not 5 <= order.rounds <= 25:
        parser.error("--rounds is 5 to 25")
    if order.records is None:
        order.records = 10_000 if order.part == "vault" else 1_000
    if not 100 <= order.records <= 100_000:
        parser.error("--records is 100 to 100000")
    if order.check:
        return 0
    begin = time.monotonic()
    try:
        rows, around = measure(order)
    except Exception as error:
        print("bench: failed: %s" % (str(error) or type(error).__name__))
        return 1
    print(table(rows))
    if order.json:
        write_json(order.json, rows, around)
    print("(%d runs each, %s cores, %s, %.0f s; compare within this run only)" % (
        order.rounds, around["cores"], around.get("browser", "no browser"), time.monotonic() - begin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
