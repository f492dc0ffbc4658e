"""A small agent. It talks to agent.sock and to nothing else, and keeps every byte it received.

    agent.py --socket PATH --key-fd N --origin ORIGIN --page URL --transcript FILE
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))
from support.rpc import Client, RpcError  # noqa: E402


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("socket", "key-fd", "origin", "page", "transcript"):
        parser.add_argument("--" + name, required=True)
    order = parser.parse_args()
    with os.fdopen(int(order.key_fd), encoding="ascii") as file:
        key = file.read().strip()

    agent = Client(order.socket, timeout=120)
    try:
        me = agent.call("session.hello", agent_key=key, client="demo")
        say("hello, I am %s" % me["name"])
        cards = agent.call("credentials.list", kind="card")["credentials"]
        for card in cards:
            say("I may use: %s, %s %s" % (card["label"], card["brand"], card["masked"]))
        purchase = agent.call("purchase.request", record=cards[0]["id"], amount_minor=2500, currency="USD",
                              merchant_origin=order.origin, reason="The Lighthouse Keeper, hardcover",
                              page_url=order.page, idempotency_key="demo-1")
        say("I asked for 25.00 USD: %s" % purchase["status"])
        if purchase["status"] == "awaiting_approval":
            purchase = agent.call("purchase.wait", purchase=purchase["purchase"], timeout_ms=60000)
            say("the owner answered: %s" % purchase["status"])
        filled = agent.call("purchase.fill", purchase=purchase["purchase"], page={"url": order.page})
        say("the card was placed: " + ", ".join(field["field"] for field in filled["fields"]))
        return 0
    except RpcError as error:
        say("refused: %s" % json.dumps(error.error))
        return 1
    finally:
        with open(order.transcript, "wb") as file:
            file.write(agent.received)


if __name__ == "__main__":
    sys.exit(main())
