"""SQLite databases written by a program that is not ours. Run by sqlite-lab.sh.

  create PATH MODE      a database with this journal mode (wal, delete, persist, truncate)
  write PATH N          N inserts, each a transaction of its own
  delete PATH N         deletes N rows in one transaction: free pages
  set PATH V A          user_version and application_id
  mode PATH MODE        changes the journal mode
  pragmas PATH          one name=value per line, as SQLite itself says
  checkpoint PATH       a passive checkpoint; prints frames in the log and frames copied
  hold PATH HOW         keeps it until SIGTERM: open, read, write, exclusive
  crash PATH            dies by SIGKILL while it writes the database: leaves a hot journal
  crash-wal PATH N      dies by SIGKILL after N commits to the log
"""
import os, signal, sqlite3, sys

cmd, path, arg = sys.argv[1], sys.argv[2], sys.argv[3:]
db = sqlite3.connect(path, isolation_level=None, timeout=10)
run = lambda sql, *values: db.execute(sql, values).fetchall()
run("PRAGMA synchronous=OFF")


def insert(size=900):
    run("INSERT INTO t (v) VALUES (?)", os.urandom(size))


if cmd == "create":
    run(f"PRAGMA journal_mode={arg[0]}")
    run("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
    for _ in range(20):
        insert()
elif cmd == "write":
    for _ in range(int(arg[0])):
        insert()
elif cmd == "delete":
    run("DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY id LIMIT ?)", int(arg[0]))
elif cmd == "set":
    run(f"PRAGMA user_version={arg[0]}")
    run(f"PRAGMA application_id={arg[1]}")
elif cmd == "mode":
    print(run(f"PRAGMA journal_mode={arg[0]}")[0][0])
elif cmd == "pragmas":
    for name in ("page_size", "page_count", "freelist_count", "user_version", "application_id", "schema_version",
                 "journal_mode", "encoding"):
        print(f"{name}={run(f'PRAGMA {name}')[0][0]}")
elif cmd == "checkpoint":
    print(*run("PRAGMA wal_checkpoint(PASSIVE)")[0][1:])
elif cmd == "hold":
    run({"open": "SELECT count(*) FROM t", "read": "BEGIN", "write": "BEGIN IMMEDIATE", "exclusive": "BEGIN EXCLUSIVE"}[arg[0]])
    if arg[0] == "read":
        run("SELECT count(*) FROM t")
    elif arg[0] == "exclusive":
        insert()
    print("holding", flush=True)
    signal.pause()
elif cmd == "crash":
    run("PRAGMA cache_size=10")
    run("PRAGMA cache_spill=1")
    run("BEGIN IMMEDIATE")
    run("UPDATE t SET v = zeroblob(900)")
    for _ in range(200):
        insert()
    os.kill(os.getpid(), signal.SIGKILL)
elif cmd == "crash-wal":
    run("PRAGMA wal_autocheckpoint=0")
    for _ in range(int(arg[0])):
        insert()
    os.kill(os.getpid(), signal.SIGKILL)
else:
    sys.exit(__doc__)
