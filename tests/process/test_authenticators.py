"""Enrolled authenticators: a key in a real ssh-agent, and any Ed25519 key behind a program of the owner's."""

import base64
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home, wait_until
from support.owner_key import OwnerKey, SigningKey, request_hash
from support.processes import die_with_parent
from support.rpc import RpcError, bundle
from support import programs

# Signs what it reads with the seed in its first argument, as a program of the owner's might.
SIGN = """
import sys
sys.path.insert(0, sys.argv[1])
from support.owner_key import SigningKey
key = SigningKey(bytes.fromhex(sys.argv[2]))
text = sys.stdin.buffer.read()
print(key.public.hex(), key.sign(text).hex())
"""
SEED = bytes(range(1, 33))


class RawKey:
    """A key of the test's own, used as OwnerKey is."""

    def __init__(self, seed=SEED):
        self.signing = SigningKey(seed)
        self.public = self.signing.public.hex()

    answer = OwnerKey.answer
    proof = OwnerKey.proof
    call = OwnerKey.call


class SshAgent:
    """A real one, with its own socket."""

    def __init__(self, folder):
        self.socket = os.path.join(folder, "ssh.sock")
        self.folder = folder
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", self.socket], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        wait_until(lambda: os.path.exists(self.socket), "the ssh-agent")

    def env(self):
        return {"SSH_AUTH_SOCK": self.socket, "PATH": "/usr/bin:/bin"}

    def add(self, name, comment, kind="ed25519"):
        """A new key in it: the path of its file."""
        path = os.path.join(self.folder, name)
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", path], check=True)
        subprocess.run(["ssh-add", "-q", path], env=self.env(), stderr=subprocess.DEVNULL, check=True)
        return path

    def forget_all(self):
        subprocess.run(["ssh-add", "-q", "-D"], env=self.env(), stderr=subprocess.DEVNULL, check=True)

    def fingerprint(self, path):
        return subprocess.run(["ssh-keygen", "-l", "-f", path + ".pub"], stdout=subprocess.PIPE, check=True).stdout.split()[1].decode()

    def close(self):
        self.process.terminate()
        self.process.wait()


class Case(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.right = OwnerKey(PASSPHRASE)

    def list(self):
        return self.home.cli("authenticator", "list").json

    def set_value(self, value, *more, env=None, **options):
        return self.home.run("config", "set", "allow_loopback_http", value, *more, env=env, **options)

    def enroll_raw(self, key=None, label="mine"):
        key = key or RawKey()
        return self.home.cli("authenticator", "add", "raw", "--public-key", key.public, "--label", label,
                             passphrase=PASSPHRASE).json

    def command(self, seed=SEED):
        script = os.path.join(self.home.base, "sign.py")
        with open(script, "w", encoding="ascii") as file:
            file.write(SIGN)
        return "%s -B %s %s %s" % (sys.executable, script, os.path.join(programs.SOURCE, "tests"), seed.hex())


class Ssh(Case):
    def setUp(self):
        super().setUp()
        self.agent = SshAgent(self.home.base)
        self.addCleanup(self.agent.close)
        self.env = self.home.env(SSH_AUTH_SOCK=self.agent.socket)

    def add(self, *more, **options):
        return self.home.run("authenticator", "add", "ssh", *more, env=self.env, passphrase=PASSPHRASE, **options)

    def test_no_passphrase_is_needed(self):
        path = self.agent.add("key", "me at home")
        self.assertEqual(self.set_value("false", "--authenticator", "ssh", env=self.env).reason, "authenticator_failed")
        added = self.add()
        self.assertEqual(added.code, 0, repr(added))
        self.assertEqual((added.json["kind"], added.json["label"]), ("ssh", "me at home"))
        self.assertEqual([one["kind"] for one in self.list()], ["passphrase", "ssh"])
        self.assertIn(self.agent.fingerprint(path), self.home.cli("authenticator", "list", json_output=False).out)
        self.assertEqual(self.set_value("true", "--authenticator", "ssh", env=self.env).json["allow_loopback_http"],
                         True)
        # Whole purchases, too.
        card, key = self.home.add_card(), self.home.add_agent("helper")["key"]
        self.home.set_policy("helper")
        with self.home.agent(key) as agent:
            purchase = agent.call("purchase.request", record=card["id"], amount_minor=100, currency="USD",
                                  merchant_origin="https://shop.example", reason="x", idempotency_key="1")["purchase"]
        self.assertEqual(self.home.cli("--authenticator", "ssh", "approve", purchase, env=self.env).json["status"], "approved")
        # After a restart; not while locked, where only the passphrase helps.
        self.home.restart()
        self.assertEqual(self.set_value("false", "--authenticator", "ssh", env=self.env).reason, "locked")
        self.home.unlock()
        self.assertEqual(self.set_value("false", "--authenticator", "ssh", env=self.env).code, 0)
        self.assertEqual(self.home.cli("status").json["bad_proofs"], 0)
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_which_key(self):
        one, two = self.agent.add("one", "first"), self.agent.add("two", "second")
        self.agent.add("three", "a rsa key", "rsa")
        self.assertEqual(self.add().reason, "usage")
        self.assertEqual(self.add("--key", "third").reason, "not_found")
        self.assertEqual(self.add("--key", "a rsa key").reason, "not_found")
        self.assertEqual(self.add("--key", "first").json["label"], "first")
        self.assertEqual(self.add("--key", self.agent.fingerprint(one)).reason, "already_exists")
        self.assertEqual(self.add("--key", self.agent.fingerprint(two), "--label", "by print").json["label"], "by print")
        outside = os.path.join(self.home.base, "outside")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "in a file", "-f", outside], check=True)
        self.assertEqual(self.add("--key", outside + ".pub").json["label"], "in a file")
        self.assertEqual(self.add("--key", self.home.base + "/three.pub").reason, "invalid_field")
        self.assertEqual(self.add("--key", self.home.base + "/none.pub").reason, "not_found")
        self.assertEqual(self.set_value("false", "--authenticator", "ssh", env=self.env).code, 0)

    def test_no_agent_and_no_key(self):
        key = self.agent.add("key", "x")
        self.assertEqual(self.add().code, 0)
        for env in (self.home.env(), self.home.env(SSH_AUTH_SOCK=""), self.home.env(SSH_AUTH_SOCK="/nonexistent/socket"),
                    self.home.env(SSH_AUTH_SOCK=key)):
            self.assertEqual(self.set_value("true", "--authenticator", "ssh", env=env).reason, "authenticator_failed")
        self.agent.forget_all()
        self.assertEqual(self.set_value("true", "--authenticator", "ssh", env=self.env).reason, "authenticator_failed")
        self.assertEqual(self.home.cli("status").json["bad_proofs"], 0, "nothing wrong was sent")
        self.assertEqual(self.set_value("true", "--authenticator", "ssh", env=self.env, passphrase=PASSPHRASE).reason, "usage")
        self.assertEqual(self.set_value("true", "--authenticator", "hsm", env=self.env).reason, "usage")
        self.assertEqual(self.set_value("true", "--authenticator", "ssh", "--authenticator-command", "x", env=self.env).reason,
                         "usage")

    def test_what_the_key_signs_elsewhere_is_no_proof(self):
        """ssh-keygen -Y signs the same text with the same key, for another purpose."""
        path = self.agent.add("key", "x")
        public = self.add().json["public_key"]
        params = {"key": "allow_loopback_http", "value": True}
        with self.home.owner() as owner:
            challenge = owner.call("proof.challenge", purpose="config.set",
                                   request_hash=request_hash("config.set", params))["challenge"]
            done = subprocess.run(["ssh-keygen", "-Y", "sign", "-f", path, "-n", "popvault-owner-proof-v1"],
                                  input=challenge.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            body = "".join(done.stdout.decode().splitlines()[1:-1])
            signature = base64.b64decode(body)[-64:]
            self.assertEqual(owner.refusal("config.set", proof={"challenge": challenge, "public_key": public,
                                                                "signature": signature.hex()}, **params), "proof_invalid")

    def test_a_confirming_agent_that_refuses(self):
        """ssh-add -c: without anybody to ask, the agent does not sign."""
        path = os.path.join(self.home.base, "asks")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "asks", "-f", path], check=True)
        subprocess.run(["ssh-add", "-q", "-c", path], env=self.agent.env(), stderr=subprocess.DEVNULL, check=True)
        self.assertEqual(self.add().code, 0)
        self.assertEqual(self.set_value("true", "--authenticator", "ssh", env=self.env).reason, "authenticator_failed")

    def test_a_machine_vault_stays_what_it_is(self):
        with Home() as home:
            home.start()
            home.cli("init", "--machine", "--accept-public-salt")
            home.cli("unlock")
            self.agent.add("key", "x")
            home.cli("authenticator", "add", "ssh", env=home.env(SSH_AUTH_SOCK=self.agent.socket))
            self.assertEqual(home.cli("status").json["proof_strength"], "same_user_can_sign")


class Commands(Case):
    def test_any_key_behind_a_program(self):
        self.enroll_raw()
        answer = self.set_value("true", "--authenticator-command", self.command())
        self.assertEqual(answer.code, 0, repr(answer))
        self.assertEqual(answer.json["allow_loopback_http"], True)

    def test_it_opens_nothing(self):
        self.enroll_raw()
        self.home.cli("lock")
        for verb in ("unlock", "unfreeze"):
            self.assertIn(self.home.run(verb, "--authenticator-command", self.command()).reason, ("usage", "locked"))
        self.assertEqual(self.home.cli("status").json["state"], "locked")
        self.home.cli("freeze")
        self.home.unlock()
        self.home.cli("unfreeze", "--authenticator-command", self.command())
        self.assertFalse(self.home.cli("status").json["frozen"])

    def test_wrong_programs(self):
        self.enroll_raw()
        for command in (self.command(bytes(32)), "true", "false", "cat", "/nonexistent/program", "yes", "sleep 0"):
            with self.subTest(command=command):
                self.assertEqual(self.set_value("true", "--authenticator-command", command).reason, "authenticator_failed")
        self.assertEqual(self.set_value("true", "--authenticator-command", "").reason, "usage")
        self.assertEqual(self.home.cli("status").json["bad_proofs"], 0)

    def test_the_program_gets_the_challenge_and_nothing_else(self):
        """What it is given: the text on its standard input, and no descriptor of ours."""
        self.enroll_raw()
        script = os.path.join(self.home.base, "look.py")
        seen = os.path.join(self.home.base, "seen")
        with open(script, "w", encoding="ascii") as file:
            file.write("import json, os, sys\n"
                       "text = sys.stdin.read()\n"
                       "found = sorted(os.listdir('/proc/self/fd'))\n"
                       "open(%r, 'w').write(json.dumps([text, found]))\n" % seen)
        self.set_value("true", "--authenticator-command", "%s -B %s" % (sys.executable, script))
        with open(seen, encoding="utf-8") as file:
            text, descriptors = json.load(file)
        challenge = json.loads(text)
        self.assertEqual(json.dumps(challenge, sort_keys=True, separators=(",", ":")), text)
        self.assertEqual(set(challenge), {"domain", "expires_at", "issued_at", "nonce", "purpose", "request_hash", "vault"})
        self.assertEqual((challenge["domain"], challenge["purpose"]), ("popvault-owner-proof-v1", "config.set"))
        self.assertEqual(len(descriptors), 4, "0, 1, 2 and the listing's own")


class Removal(Case):
    def test_its_proofs_end_at_once(self):
        key = RawKey()
        card = self.home.add_card()
        added = self.enroll_raw(key)
        with self.home.owner() as one, self.home.owner() as two:
            key.call(one, "config.set", key="allow_loopback_http", value=False)
            one.call("record.edit", id=card["id"], label="Kept")  # its proof is kept
            params = {"key": "allow_loopback_http", "value": True}
            ready = key.proof(two, "config.set", params)
            self.home.cli("authenticator", "rm", added["id"], passphrase=PASSPHRASE)
            self.assertEqual(one.refusal("record.edit", id=card["id"], label="Gone"), "proof_required")
            self.assertEqual(two.refusal("config.set", proof=ready, **params), "proof_invalid")
            with self.assertRaises(RpcError) as caught:
                key.call(one, "config.set", **params)
            self.assertEqual(caught.exception.reason, "proof_invalid")
        self.home.restart()
        self.home.unlock()
        with self.home.owner() as owner, self.assertRaises(RpcError) as caught:
            key.call(owner, "config.set", **params)
        self.assertEqual(caught.exception.reason, "proof_invalid")
        self.assertEqual([one["kind"] for one in self.list()], ["passphrase"])

    def test_it_may_remove_itself(self):
        key = RawKey()
        added = self.enroll_raw(key)
        with self.home.owner() as owner:
            self.assertEqual(key.call(owner, "authenticator.remove", id=added["id"]), {"id": added["id"]})
            with self.assertRaises(RpcError):
                key.call(owner, "config.set", key="allow_loopback_http", value=False)

    def test_refusals(self):
        self.assertEqual(self.home.run("authenticator", "rm", "passphrase", passphrase=PASSPHRASE).reason, "unsupported")
        self.assertEqual(self.home.run("authenticator", "rm", "aut_x", passphrase=PASSPHRASE).reason, "not_found")
        added = self.enroll_raw()
        self.assertEqual(self.home.run("authenticator", "rm", added["id"]).reason, "proof_required")
        for public_key, label, reason in (("00" * 31, "x", "invalid_field"), ("zz" * 32, "x", "invalid_field"),
                                          ("01" + "00" * 31, "x", "invalid_field"), (added["public_key"], "x", "already_exists"),
                                          (RawKey(bytes(32)).public, "x" * 65, "invalid_params"),
                                          (RawKey(bytes(32)).public, "a\x1b[31mb", "invalid_field")):
            with self.subTest(public_key=public_key, label=label):
                answer = self.home.run("authenticator", "add", "raw", "--public-key", public_key, "--label", label,
                                       passphrase=PASSPHRASE)
                self.assertEqual(answer.reason, reason, repr(answer))
        own = next(one["public_key"] for one in self.list() if one["kind"] == "passphrase")
        self.assertEqual(own, self.right.signing.public.hex())
        self.assertEqual(self.home.run("authenticator", "add", "raw", "--public-key", own, "--label", "x",
                                       passphrase=PASSPHRASE).reason, "already_exists")


class Passphrases(Case):
    def test_another_passphrase_leaves_them(self):
        key = RawKey()
        self.enroll_raw(key)
        fd = bundle({"key": bytes([9]) * 32})
        try:
            with self.home.owner() as owner:
                params = {"mode": "passphrase"}
                owner.call("vault.rekey", fd=fd, proof=key.proof(owner, "vault.rekey", params), **params)
                key.call(owner, "config.set", key="allow_loopback_http", value=False)
                with self.assertRaises(RpcError) as caught:
                    self.right.call(owner, "config.set", key="allow_loopback_http", value=False)
                self.assertEqual(caught.exception.reason, "proof_invalid")
        finally:
            os.close(fd)

    def test_the_command_line_changes_it_with_an_authenticator(self):
        self.enroll_raw()
        new = "an entirely other passphrase"
        answer = self.home.run("passphrase", "--new-passphrase-fd", "0", "--authenticator-command", self.command(),
                               stdin=new.encode())
        self.assertEqual(answer.code, 0, repr(answer))
        self.home.cli("lock")
        self.home.cli("unlock", passphrase=new)
        same = self.home.run("passphrase", "--new-passphrase-fd", "0", "--authenticator-command", self.command(),
                             stdin=new.encode())
        self.assertEqual(same.reason, "invalid_field", "it is the one that the vault has")


if __name__ == "__main__":
    unittest.main()
