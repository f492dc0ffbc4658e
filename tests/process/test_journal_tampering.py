"""Every kind of tampering with the journal, on exported files and on state.db, each as somebody without a key can do it best:
found by popvault, found by another program, and not found by that program once the one check that is about it is turned
off. An untouched one passes everywhere."""

import json
import os
import shutil
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.home import PASSPHRASE, Home
from support.journal_reader import (CHECKPOINT, Broken, canonical, read_export, read_state, rechained, row_hash,
                                    seal_checkpoint, verify_export, verify_rows, write_export)

STRANGER = bytes(range(32))  # a seed that is not the vault's
SIGNED = ("checkpoint", "covered")


def at(rows, kind):
    """The place of the first row of a kind."""
    return next(i for i, row in enumerate(rows) if row.kind == kind)


def changed(rows, i, **members):
    return rows[:i] + [rows[i]._replace(**members)] + rows[i + 1:]


def middle(rows):
    """A row that is not the first, not the last and no checkpoint."""
    return at(rows, 20)


def edit_body(rows, _):
    return changed(rows, middle(rows), body='{"agent":"agt_other"}')


def edit_time(rows, _):
    return changed(rows, middle(rows), at=rows[middle(rows)].at + 1)


def edit_kind(rows, _):
    return changed(rows, middle(rows), kind=21)


def blank_hash(rows, _):
    return changed(rows, middle(rows), hash=bytes(32))


def another_hash(rows, _):
    return changed(rows, middle(rows), hash=rows[0].hash)


def edit_first(rows, _):
    return changed(rows, 0, body="{}")


def delete_one(rows, _):
    return rows[:middle(rows)] + rows[middle(rows) + 1:]


def delete_first(rows, _):
    return rows[1:]


def delete_and_number_anew(rows, _):
    kept = delete_one(rows, _)
    return [row._replace(seq=i + 1) for i, row in enumerate(kept)]


def reorder(rows, _):
    i = middle(rows)
    return rows[:i] + [rows[i + 1], rows[i]] + rows[i + 2:]


def reorder_and_number_anew(rows, _):
    return [row._replace(seq=i + 1) for i, row in enumerate(reorder(rows, _))]


def insert(rows, _):
    i = middle(rows)
    return rows[:i] + [rows[i]] + rows[i:]


def cut_one(rows, _):
    return rows[:-1]


def cut_many(rows, _):
    return rows[:middle(rows)]


def cut_to_a_checkpoint(rows, _):
    return rows[:at(rows, CHECKPOINT) + 1]


def append(rows, _):
    return rechained(rows + [rows[-1]._replace(kind=2, body="{}")])


def append_a_forged_checkpoint(rows, vault):
    return rows + [seal_checkpoint(STRANGER, vault, rows[-1], rows[-1].at)]


def append_an_old_checkpoint(rows, _):
    return rechained(rows + [rows[at(rows, CHECKPOINT)]])


def edit_and_hash_anew(rows, _):
    return rechained(edit_body(rows, _))


def time_and_hash_anew(rows, _):
    return rechained(edit_time(rows, _))


def kind_and_hash_anew(rows, _):
    return rechained(edit_kind(rows, _))


def delete_and_hash_anew(rows, _):
    return rechained(delete_one(rows, _))


def take_a_checkpoint_away(rows, _):
    i = at(rows, CHECKPOINT)
    return rechained(rows[:i] + rows[i + 1:])


def swap_two_checkpoints(rows, _):
    first, last = at(rows, CHECKPOINT), max(i for i, row in enumerate(rows) if row.kind == CHECKPOINT)
    return rechained(changed(changed(rows, first, body=rows[last].body), last, body=rows[first].body))


def edit_a_checkpoint(rows, _):
    i = at(rows, CHECKPOINT)
    body = json.loads(rows[i].body)
    body["at"] += 1
    return rechained(changed(rows, i, body=canonical(body)))


def sign_with_another_key(rows, vault):
    """The whole story written anew, each checkpoint too."""
    out = []
    for row in edit_body(rows, vault):
        if row.kind == CHECKPOINT:
            out.append(seal_checkpoint(STRANGER, vault, out[-1], row.at))
        else:
            row = row._replace(seq=len(out) + 1)
            out.append(row._replace(hash=row_hash(out[-1].hash if out else bytes(32), row)))
    return out


def sign_in_the_vaults_name(rows, vault):
    """The same, and each names the vault's key."""
    own = json.loads(rows[at(rows, CHECKPOINT)].body)["public_key"]
    signed = sign_with_another_key(rows, vault)
    return rechained([row._replace(body=canonical({**json.loads(row.body), "public_key": own})) if row.kind == CHECKPOINT
                      else row for row in signed])


# (what is done, which checks must be off for the independent reader to take it)
EDITS = (
    (edit_body, ("hash",)), (edit_time, ("hash",)), (edit_kind, ("hash",)), (blank_hash, ("hash",)),
    (another_hash, ("hash",)), (edit_first, ("hash",)),
    (delete_one, ("sequence", "hash")), (delete_first, ("sequence", "hash")), (insert, ("sequence", "hash")),
    (reorder, ("sequence", "hash")), (delete_and_number_anew, ("hash", *SIGNED)), (reorder_and_number_anew, ("hash", *SIGNED)),
    (cut_one, ("covered",)), (cut_many, ("covered",)), (cut_to_a_checkpoint, ("covered",)), (append, ("covered",)),
    (append_a_forged_checkpoint, SIGNED), (append_an_old_checkpoint, SIGNED),
    (edit_and_hash_anew, SIGNED), (time_and_hash_anew, SIGNED), (kind_and_hash_anew, SIGNED), (delete_and_hash_anew, SIGNED),
    (take_a_checkpoint_away, SIGNED), (swap_two_checkpoints, SIGNED), (edit_a_checkpoint, SIGNED),
    (sign_with_another_key, SIGNED), (sign_in_the_vaults_name, SIGNED),
)
FOUND = ("journal_broken", "checkpoint_invalid", "state_rolled_back")


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = home = Home()
        home.start()
        home.make_vault()
        home.add_agent("helper")
        home.add_card()
        home.cli("lock")
        home.unlock()
        cls.older = os.path.join(home.base, "older.jsonl")
        cls.key = home.cli("audit", "export", cls.older, passphrase=PASSPHRASE).json["public_key"]
        cls.public = bytes.fromhex(cls.key)
        cls.vault = home.cli("status").json["vault"]
        cls.old = cls.copy("old")
        home.start()
        home.unlock()
        home.add_agent("second")
        home.set_policy("second")
        cls.export = os.path.join(home.base, "journal.jsonl")
        home.cli("audit", "export", cls.export, passphrase=PASSPHRASE)
        cls.new = cls.copy("new")

    @classmethod
    def tearDownClass(cls):
        cls.home.remove()

    @classmethod
    def copy(cls, name):
        """The home as it stands on disk, with the daemon stopped."""
        cls.home.stop()
        target = os.path.join(cls.home.base, name)
        shutil.copytree(cls.home.path, target, symlinks=True)
        return target


class ExportedFile(Case):
    def setUp(self):
        self.head, self.rows = read_export(self.export)
        self.file = os.path.join(self.home.base, "edited.jsonl")

    def verify(self, path=None):
        return self.home.run("audit", "verify", "--file", path or self.file, "--public-key", self.key)

    def refused(self, where="line "):
        answer = self.verify()
        self.assertEqual(answer.code, 1, repr(answer))
        self.assertIn(answer.reason, FOUND)
        self.assertIn(where, answer.error["message"])
        self.assertEqual(answer.err.count("\n"), 1)
        return answer

    def test_control_untouched(self):
        write_export(self.file, self.head, self.rows)
        with open(self.file, "rb") as copy, open(self.export, "rb") as original:
            self.assertEqual(copy.read(), original.read())
        self.assertEqual(self.verify().code, 0)
        verify_export(self.file, self.public)

    def test_edits(self):
        self.assertGreaterEqual(len([row for row in self.rows if row.kind == CHECKPOINT]), 3)
        for edit, checks in EDITS:
            with self.subTest(edit=edit.__name__):
                edited = edit(self.rows, self.vault)
                self.assertNotEqual(edited, self.rows)
                write_export(self.file, self.head, edited)
                self.refused()
                with self.assertRaises(Broken):
                    verify_export(self.file, self.public)
                # The control: what finds it is that check.
                verify_export(self.file, self.public, without=checks)

    def test_the_head(self):
        for member, value in (("public_key", "ab" * 32), ("vault", "vlt_" + "a" * 26), ("after", 1), ("hash", "11" * 32),
                              ("format", "popvault-journal-2"), ("more", 1), ("after", -1), ("after", "0"), ("vault", "")):
            with self.subTest(member=member, value=value):
                write_export(self.file, {**self.head, member: value}, self.rows)
                self.refused()

    def test_lines_of_another_form(self):
        with open(self.export, encoding="utf-8") as file:
            lines = file.read().splitlines()
        cases = {"empty": "", "no JSON": "x", "an array": "[]", "a space": lines[3].replace(":", ": ", 1),
                 "a member more": lines[3][:-1] + ',"x":1}', "a member less": '{"at":1}', "twice": lines[3][:-1] + ',"seq":4}',
                 "a number as text": lines[3].replace('"seq":3', '"seq":"3"'), "a fraction": lines[3].replace('"seq":3', '"seq":3.0'),
                 "upper case": lines[3].replace('"hash":"', '"hash":"A'), "an unknown kind": lines[3].replace('"kind":100', '"kind":99'),
                 "a kind out of range": lines[3].replace('"kind":100', '"kind":70000'), "deep": "[" * 100000,
                 "too long": '{"at":"' + "x" * 300000 + '"}', "no text": "\udcff\udcfe"}
        for what, line in cases.items():
            with self.subTest(what=what):
                text = "\n".join(lines[:3] + [line] + lines[4:]) + "\n"
                with open(self.file, "wb") as file:
                    file.write(text.encode("utf-8", "surrogateescape"))
                answer = self.verify()
                self.assertEqual(answer.code, 1, repr(answer))
                self.assertIn(answer.reason, (*FOUND, "too_large"))
                self.assertIn("line 4:", answer.error["message"])
                self.assertEqual(answer.err.count("\n"), 1)

    def test_cut_anywhere(self):
        with open(self.export, "rb") as file:
            data = file.read()
        for size in (0, 1, 100, len(data) // 2, len(data) - 1):
            with self.subTest(size=size):
                with open(self.file, "wb") as file:
                    file.write(data[:size])
                self.refused()

    def test_an_older_export(self):
        """Cut back to where an older one ended, it is that one: it tells its number and time, and no program can do more."""
        with open(self.older, "rb") as file:
            older = file.read()
        with open(self.export, "rb") as file:
            self.assertTrue(file.read().startswith(older))
        answer = self.verify(self.older)
        self.assertEqual(answer.code, 0)
        self.assertLess(answer.json["rows"], self.verify(self.export).json["rows"])


class StateDb(Case):
    def put(self, source):
        self.home.stop()
        shutil.rmtree(self.home.path)
        shutil.copytree(source, self.home.path, symlinks=True)

    def write(self, rows):
        """The journal of state.db; its triggers are put back, so that only the edit is seen."""
        db = sqlite3.connect(self.home.file("state.db"), isolation_level=None)
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute("DROP TRIGGER " + name)
        db.execute("DELETE FROM journal")
        db.executemany("INSERT INTO journal(seq, at, kind, body, hash) VALUES (?, ?, ?, ?, ?)", rows)
        for _, sql in triggers:
            db.execute(sql)
        db.close()

    def unlock(self):
        answer = self.home.run("unlock", passphrase=PASSPHRASE)
        try:
            self.home.note_daemon_now()
        except OSError:
            pass  # it did not start
        return answer

    def test_control_untouched(self):
        self.put(self.new)
        rows = read_state(self.home.file("state.db"))
        self.assertEqual(verify_rows(rows, self.vault, self.public), rows[-1].seq)
        self.write(rows)
        self.assertEqual(self.unlock().code, 0)
        self.assertTrue(self.home.cli("audit", "verify").json["ok"])

    def test_edits(self):
        for edit, _ in EDITS:
            with self.subTest(edit=edit.__name__):
                self.put(self.new)
                rows = edit(read_state(self.home.file("state.db")), self.vault)
                if len({row.seq for row in rows}) != len(rows):  # the table takes each number once
                    rows = [row._replace(seq=i + 1) for i, row in enumerate(rows)]
                if edit is reorder:
                    rows = reorder_and_number_anew(read_state(self.home.file("state.db")), self.vault)
                self.write(rows)
                answer = self.unlock()
                if edit is append:
                    # A row without power behind the last checkpoint: anybody can, and it is covered and told.
                    self.assertEqual(answer.code, 0, repr(answer))
                    continue
                self.assertEqual(answer.code, 1, repr(answer))
                self.assertIn(answer.reason, FOUND)
                self.assertEqual(self.home.run("unlock", passphrase=PASSPHRASE).reason, answer.reason, "again")

    def test_an_older_database(self):
        self.put(self.new)
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.home.file("state.db" + suffix)):
                os.unlink(self.home.file("state.db" + suffix))
            if os.path.exists(os.path.join(self.old, "state.db" + suffix)):
                shutil.copy2(os.path.join(self.old, "state.db" + suffix), self.home.file("state.db" + suffix))
        self.assertEqual(self.unlock().reason, "state_rolled_back")

    def test_while_locked(self):
        """Without the vault's keys a checkpoint is held against the key that it names: the owner knows the right one."""
        self.put(self.new)
        rows = read_state(self.home.file("state.db"))
        for edit in (edit_body, edit_and_hash_anew, sign_in_the_vaults_name):
            with self.subTest(edit=edit.__name__):
                self.put(self.new)
                self.write(edit(rows, self.vault))
                self.home.start()
                self.assertIn(self.home.run("audit", "verify").reason, FOUND)
        self.put(self.new)
        self.write(sign_with_another_key(rows, self.vault))
        self.home.start()
        self.assertNotEqual(self.home.cli("audit", "verify").json["public_key"], self.key)
        self.assertIn(self.unlock().reason, FOUND)


if __name__ == "__main__":
    unittest.main()
