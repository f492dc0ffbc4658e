"""`popvault recipe`: those that came with popvault are taken with their signature, others only when the owner vouches for them;
which version is in force, and that nobody but the owner has a say."""

import json
import os
import shutil
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.owner_key import OwnerKey
from support.programs import SOURCE

FOLDER = os.path.join(SOURCE, "recipes")


def shipped():
    """name -> file"""
    return {name[:-5]: os.path.join(FOLDER, name) for name in sorted(os.listdir(FOLDER)) if name.endswith(".json")}


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Recipes(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.remove)
        self.home.start()
        self.home.make_vault()
        self.key = OwnerKey(PASSPHRASE)
        self.name = next(name for name, path in shipped().items() if json.loads(read(path))["mode"] == "wire")
        self.recipe = json.loads(read(shipped()[self.name]))
        self.version = self.recipe["version"]

    def recipe_run(self, *args, proof=True):
        return self.home.run("recipe", *args, passphrase=PASSPHRASE if proof else None)

    def kept(self):
        """(version, in force, signed) of each version of the recipe."""
        return [(one["version"], one["pinned"], one["signed"]) for one in self.home.cli("recipe", "list").json["recipes"]
                if one["name"] == self.name]

    def file(self, name, content):
        path = os.path.join(self.home.tmp, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def of_version(self, version):
        """A file with the same recipe, as another version and without a signature."""
        return self.file("v%d.json" % version, json.dumps({**self.recipe, "version": version}).encode())

    def add(self, version):
        return self.home.cli("recipe", "add", self.of_version(version), "--unsigned", passphrase=PASSPHRASE).json

    def kinds(self):
        return [row["kind"] for row in self.home.cli("audit", "list", "--limit", "1000").json]

    def test_what_is_shipped_is_an_offer(self):
        answer = self.home.cli("recipe", "list").json
        self.assertEqual(answer["recipes"], [])
        self.assertEqual({one["name"] for one in answer["shipped"]}, set(shipped()))
        for one in answer["shipped"]:
            self.assertEqual((one["signed"], one["added"]), (True, False), one["name"])
            self.assertIn(one["mode"], ("wire", "sealed"))
        text = self.home.cli("recipe", "list", json_output=False).out
        self.assertTrue(text.startswith("in force: none\noffered"), text)
        self.assertIn("  %s  version %d  wire  signed  https://" % (self.name, self.version), text)

    def test_every_shipped_one_can_be_added(self):
        for name in shipped():
            added = self.home.cli("recipe", "add", name, passphrase=PASSPHRASE).json
            self.assertEqual((added["name"], added["signed"], added["pinned"]), (name, True, True))
        answer = self.home.cli("recipe", "list").json
        self.assertEqual({one["name"] for one in answer["recipes"]}, set(shipped()))
        self.assertEqual({one["added"] for one in answer["shipped"]}, {True})
        text = self.home.cli("recipe", "list", json_output=False).out
        self.assertTrue(text.startswith("in force:\n"), text)
        self.assertNotIn("offered", text)
        again = self.recipe_run("add", self.name)
        self.assertEqual((again.code, again.reason), (1, "already_exists"))

    def test_it_asks_for_the_owners_proof(self):
        self.assertEqual(self.recipe_run("add", self.name, proof=False).reason, "proof_required")
        wrong = self.home.run("recipe", "add", self.name, passphrase="not the passphrase")
        self.assertEqual(wrong.reason, "proof_invalid")
        self.assertEqual(self.kept(), [])
        self.home.cli("recipe", "add", self.name, passphrase=PASSPHRASE)
        self.add(self.version + 1)
        self.assertEqual(self.recipe_run("pin", self.name, str(self.version), proof=False).reason, "proof_required")
        self.assertEqual(self.recipe_run("rollback", self.name, proof=False).reason, "proof_required")
        self.assertEqual(self.kept(), [(self.version, False, True), (self.version + 1, True, False)])

    def test_an_unsigned_one_needs_the_owner_to_say_so(self):
        path = self.of_version(self.version)
        refused = self.recipe_run("add", path)
        self.assertEqual((refused.code, refused.reason), (1, "recipe_signature"))
        self.assertEqual(self.kept(), [])
        self.recipe_run("add", path, "--unsigned")
        self.assertEqual(self.kept(), [(self.version, True, False)])

    def test_the_daemon_looks_itself(self):
        """Whatever a client says: the proof alone is not enough without a good signature."""
        text = read(shipped()[self.name]).decode()
        signature = read(shipped()[self.name] + ".sig").decode().strip()
        with self.home.owner() as owner:
            for params in ({"text": text}, {"text": text, "signature": "00" * 64}, {"text": text, "signature": "x"},
                           {"text": text + " ", "signature": signature}, {"text": text, "signature": signature[:-2]}):
                with self.subTest(**params):
                    proof = self.key.proof(owner, "recipe.add", params)
                    self.assertEqual(owner.refusal("recipe.add", proof=proof, **params), "recipe_signature")
            self.assertEqual(owner.call("recipe.list"), {"recipes": []})
            self.key.call(owner, "recipe.add", text=text, signature=signature)
        self.assertEqual(self.kept(), [(self.version, True, True)])

    def test_a_flipped_byte(self):
        path = os.path.join(self.home.tmp, "copy.json")
        shutil.copy(shipped()[self.name], path)
        shutil.copy(shipped()[self.name] + ".sig", path + ".sig")
        whole = read(path)
        # In a text for people: the recipe stays a recipe.
        at = whole.index(self.recipe["title"].encode())
        self.file("copy.json", whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1:])
        self.assertEqual(self.recipe_run("add", path).reason, "recipe_signature")
        # White space counts too.
        self.file("copy.json", whole + b"\n")
        self.assertEqual(self.recipe_run("add", path).reason, "recipe_signature")
        # The same in the signature.
        self.file("copy.json", whole)
        signature = read(path + ".sig").decode().strip()
        self.file("copy.json.sig", ("%02x" % (int(signature[:2], 16) ^ 1) + signature[2:]).encode())
        self.assertEqual(self.recipe_run("add", path).reason, "recipe_signature")
        # Of another recipe.
        other = next(file for name, file in shipped().items() if name != self.name)
        shutil.copy(other + ".sig", path + ".sig")
        self.assertEqual(self.recipe_run("add", path).reason, "recipe_signature")
        self.assertEqual(self.kept(), [])
        # The control: the same copy with its own.
        shutil.copy(shipped()[self.name] + ".sig", path + ".sig")
        self.home.cli("recipe", "add", path, passphrase=PASSPHRASE)
        self.assertEqual(self.kept(), [(self.version, True, True)])

    def test_what_is_no_recipe(self):
        for content in (b"", b"{}", b"[]", b"\xff", json.dumps({**self.recipe, "version": 0}).encode(),
                        json.dumps({**self.recipe, "name": "../x"}).encode(),
                        json.dumps({**self.recipe, "more": 1}).encode(), b" " * 8193,
                        json.dumps(self.recipe).encode()[:-1]):
            with self.subTest(content=content[:60]):
                self.assertEqual(self.recipe_run("add", self.file("wrong.json", content), "--unsigned").reason, "bad_recipe")
        self.assertEqual(self.recipe_run("add", os.path.join(self.home.tmp, "none.json")).reason, "not_found")
        self.assertEqual(self.recipe_run("add", "no-such-recipe").reason, "not_found")
        self.assertEqual(self.kept(), [])

    def test_versions_pin_and_rollback(self):
        v = self.version
        self.home.cli("recipe", "add", self.name, passphrase=PASSPHRASE)
        self.assertTrue(self.add(v + 2)["pinned"])  # a newer one comes into force
        self.assertFalse(self.add(v + 1)["pinned"])  # an older one does not
        self.assertEqual(self.kept(), [(v, False, True), (v + 1, False, False), (v + 2, True, False)])
        rolled = self.home.cli("recipe", "rollback", self.name, passphrase=PASSPHRASE).json
        self.assertEqual((rolled["version"], rolled["pinned"]), (v + 1, True))
        self.assertEqual(self.kept(), [(v, False, True), (v + 1, True, False), (v + 2, False, False)])
        self.home.cli("recipe", "rollback", self.name, passphrase=PASSPHRASE)
        self.assertEqual(self.recipe_run("rollback", self.name).reason, "not_found")
        self.assertEqual(self.kept(), [(v, True, True), (v + 1, False, False), (v + 2, False, False)])
        self.home.cli("recipe", "pin", self.name, str(v + 2), passphrase=PASSPHRASE)
        self.home.kill()
        self.home.start()
        self.home.cli("unlock", passphrase=PASSPHRASE)
        self.assertEqual(self.kept(), [(v, False, True), (v + 1, False, False), (v + 2, True, False)])
        self.assertEqual(self.recipe_run("pin", self.name, str(v + 9)).reason, "not_found")
        self.assertEqual(self.recipe_run("pin", "other", "1").reason, "not_found")
        text = self.home.cli("recipe", "list", json_output=False).out
        self.assertIn("kept, not in force", text)
        told = [kind for kind in self.kinds() if kind.startswith("recipe_")]
        self.assertEqual(told, ["recipe_added"] * 3 + ["recipe_rolled_back"] * 2 + ["recipe_pinned"])
        self.home.cli("audit", "verify")

    def test_remove_asks_for_nothing(self):
        self.home.cli("recipe", "add", self.name, passphrase=PASSPHRASE)
        self.add(self.version + 1)
        self.assertEqual(self.home.cli("recipe", "remove", self.name).json, {"name": self.name, "removed": 2})
        self.assertEqual(self.kept(), [])
        gone = self.home.run("recipe", "remove", self.name)
        self.assertEqual((gone.code, gone.reason), (4, "not_found"))
        self.assertIn("recipe_removed", self.kinds())
        # And taken again.
        self.home.cli("recipe", "add", self.name, passphrase=PASSPHRASE)
        self.assertEqual(self.kept(), [(self.version, True, True)])

    def test_no_more_than_64(self):
        with self.home.owner() as owner:
            for version in range(1, 65):
                self.key.call(owner, "recipe.add", text=json.dumps({**self.recipe, "version": version}), unsigned=True)
            params = {"text": json.dumps({**self.recipe, "version": 65}), "unsigned": True}
            proof = self.key.proof(owner, "recipe.add", params)
            self.assertEqual(owner.refusal("recipe.add", proof=proof, **params), "unsupported")
            self.assertEqual(len(owner.call("recipe.list")["recipes"]), 64)

    def edit(self, statement, *values):
        """In state.db, which a running daemon keeps to itself; the reason why it is not unlocked then."""
        self.home.stop()
        with sqlite3.connect(self.home.file("state.db")) as db:
            found = db.execute(statement, values).fetchall()
        db.close()
        self.home.start()
        return found

    def unlock(self):
        return self.home.run("unlock", passphrase=PASSPHRASE).reason

    def test_an_edited_row_is_refused(self):
        self.home.cli("recipe", "add", self.name, passphrase=PASSPHRASE)
        row = "recipe.%s.%d" % (self.name, self.version)
        [(body,)] = self.edit("SELECT body FROM settings WHERE id=?", row)
        self.assertIn("https://", body)
        update = "UPDATE settings SET body=? WHERE id=?"
        for changed in (body.replace("https://", "https://evil.", 1), body.replace('"signed":true', '"signed":false'),
                        body.replace('"pinned":true', '"pinned":false'), '{"deleted":true}'):
            with self.subTest(changed=changed[:60]):
                self.assertNotEqual(changed, body)
                self.edit(update, changed, row)
                self.assertEqual(self.unlock(), "state_corrupt")
        self.edit(update, body, row)
        self.assertIsNone(self.unlock())
        self.assertEqual(self.kept(), [(self.version, True, True)])

    def test_a_row_under_another_name_and_one_that_is_gone(self):
        self.home.cli("recipe", "add", self.name, passphrase=PASSPHRASE)
        row = "recipe.%s.%d" % (self.name, self.version)
        self.edit("INSERT INTO settings SELECT 'recipe.evil.1', version, body, mac FROM settings WHERE id=?", row)
        self.assertEqual(self.unlock(), "state_corrupt")
        self.edit("DELETE FROM settings WHERE id='recipe.evil.1'")
        self.assertIsNone(self.unlock())
        self.edit("DELETE FROM settings WHERE id=?", row)
        self.assertIn(self.unlock(), ("state_corrupt", "state_rolled_back"))

    def test_an_agent_has_no_say(self):
        key = self.home.add_agent("helper")["key"]
        self.home.cli("recipe", "add", self.name, passphrase=PASSPHRASE)
        text = read(shipped()[self.name]).decode()
        with self.home.agent(key) as agent:
            for method, params in (("recipe.list", {}), ("recipe.add", {"text": text, "unsigned": True}),
                                   ("recipe.remove", {"name": self.name}), ("recipe.rollback", {"name": self.name}),
                                   ("recipe.pin", {"name": self.name, "version": self.version})):
                self.assertEqual(agent.refusal(method, **params), "unknown_method", method)
        self.assertEqual(self.kept(), [(self.version, True, True)])

    def test_locked(self):
        self.home.cli("lock")
        for args in (("list",), ("add", self.name), ("remove", self.name), ("pin", self.name, "1"), ("rollback", self.name)):
            answer = self.home.run("recipe", *args)
            self.assertEqual((answer.code, answer.reason), (3, "locked"), args)


if __name__ == "__main__":
    unittest.main()
