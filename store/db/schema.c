/* SPDX-License-Identifier: Apache-2.0 */
#include "db/schema.h"

#include <stddef.h>

/*
 * thin is inventory and journal at once: a row that is 'creating' or 'deleting' is an
 * intent, and txid is the pool transaction that fulfils it. What belongs to a
 * thin id (a layer, a view, a container) hangs on its row, so undoing a creation removes it.
 */
static const char version_1[] =
	"CREATE TABLE meta ("
	"  key TEXT PRIMARY KEY,"
	"  value ANY NOT NULL"
	") STRICT, WITHOUT ROWID;"
	/* pool_txid: the transaction id that catalogue and pool agree on. */
	/* destroying: the pool is being taken away; without pool.json it is gone. */
	"INSERT INTO meta VALUES ('pool_txid', 0), ('next_thin', 1), ('destroying', 0);"

	"CREATE TABLE session ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  command TEXT NOT NULL,"
	"  started_ns INTEGER NOT NULL"
	") STRICT;"

	"CREATE TABLE thin ("
	"  id INTEGER PRIMARY KEY,"
	"  kind TEXT NOT NULL CHECK (kind IN ('template', 'layer', 'work', 'view')),"
	"  state TEXT NOT NULL CHECK (state IN ('creating', 'live', 'deleting')),"
	"  txid INTEGER NOT NULL,"
	"  origin INTEGER,"
	"  session INTEGER" /* of a work volume */
	") STRICT;"
	"CREATE INDEX thin_state ON thin (state) WHERE state <> 'live';"
	"CREATE INDEX thin_kind ON thin (kind) WHERE kind <> 'layer';"

	"CREATE TABLE layer ("
	"  chain_id TEXT PRIMARY KEY,"
	"  parent TEXT REFERENCES layer (chain_id),"
	"  diff_id TEXT NOT NULL,"
	"  thin_id INTEGER NOT NULL UNIQUE REFERENCES thin (id) ON DELETE CASCADE,"
	"  tar_bytes INTEGER NOT NULL,"
	"  content_bytes INTEGER NOT NULL,"
	"  own_bytes INTEGER,"
	"  created_ns INTEGER NOT NULL,"
	"  created_by TEXT,"
	"  blob TEXT"
	") STRICT;"
	"CREATE INDEX layer_parent ON layer (parent);"
	"CREATE INDEX layer_blob ON layer (blob);"

	"CREATE TABLE pin ("
	"  session INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,"
	"  chain_id TEXT NOT NULL,"
	"  PRIMARY KEY (session, chain_id)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX pin_chain ON pin (chain_id);"

	"CREATE TABLE image ("
	"  id TEXT PRIMARY KEY,"
	"  top TEXT REFERENCES layer (chain_id)," /* NULL: no layers */
	"  parent TEXT,"
	"  created_ns INTEGER,"
	"  size_bytes INTEGER NOT NULL,"
	"  architecture TEXT NOT NULL,"
	"  os TEXT NOT NULL,"
	"  tagged_ns INTEGER"
	") STRICT;"
	"CREATE INDEX image_parent ON image (parent);"

	"CREATE TABLE image_layer ("
	"  image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,"
	"  position INTEGER NOT NULL,"
	"  chain_id TEXT NOT NULL REFERENCES layer (chain_id),"
	"  PRIMARY KEY (image, position)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX image_layer_chain ON image_layer (chain_id);"

	"CREATE TABLE reference ("
	"  name TEXT PRIMARY KEY," /* canonical: domain/path:tag or domain/path@digest */
	"  repository TEXT NOT NULL,"
	"  tag TEXT," /* NULL: a digest reference */
	"  digest TEXT,"
	"  image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX reference_image ON reference (image);"

	"CREATE TABLE view ("
	"  thin_id INTEGER NOT NULL REFERENCES thin (id) ON DELETE CASCADE,"
	"  kind TEXT NOT NULL CHECK (kind IN ('mount', 'attach')),"
	"  target TEXT NOT NULL," /* mount point, or the name below /dev/veneer */
	"  image TEXT NOT NULL REFERENCES image (id),"
	"  writable INTEGER NOT NULL,"
	"  settled INTEGER NOT NULL DEFAULT 0," /* 0: whoever has the lock makes or ends it */
	"  created_ns INTEGER NOT NULL,"
	"  PRIMARY KEY (kind, target)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX view_thin ON view (thin_id);"
	"CREATE INDEX view_image ON view (image);"

	/* Blobs that may have a file and may have lost, or not got yet, the row that needs it. */
	"CREATE TABLE doubt ("
	"  digest TEXT PRIMARY KEY"
	") STRICT, WITHOUT ROWID;"
	"CREATE TRIGGER layer_gone AFTER DELETE ON layer WHEN OLD.blob IS NOT NULL"
	"  BEGIN INSERT OR IGNORE INTO doubt VALUES (OLD.blob); END;"
	"CREATE TRIGGER image_gone AFTER DELETE ON image"
	"  BEGIN INSERT OR IGNORE INTO doubt VALUES (OLD.id); END;"
	"CREATE TRIGGER image_there AFTER INSERT ON image"
	"  BEGIN DELETE FROM doubt WHERE digest = NEW.id; END;";

/*
 * Containers: the kinds 'init' (a layer with the stubs of what the runtime
 * supplies; its origin is the layer) and 'container' (a snapshot of an init).
 * thin is made anew because a CHECK cannot be changed.
 */
static const char version_2[] =
	"CREATE TABLE thin_2 ("
	"  id INTEGER PRIMARY KEY,"
	"  kind TEXT NOT NULL CHECK (kind IN ('template', 'layer', 'work', 'view', 'init',"
	"    'container')),"
	"  state TEXT NOT NULL CHECK (state IN ('creating', 'live', 'deleting')),"
	"  txid INTEGER NOT NULL,"
	"  origin INTEGER,"
	"  session INTEGER"
	") STRICT;"
	"INSERT INTO thin_2 SELECT id, kind, state, txid, origin, session FROM thin;"
	"DROP TABLE thin;"
	"ALTER TABLE thin_2 RENAME TO thin;"
	"CREATE INDEX thin_state ON thin (state) WHERE state <> 'live';"
	"CREATE INDEX thin_kind ON thin (kind) WHERE kind <> 'layer';"

	"CREATE TABLE container ("
	"  id TEXT PRIMARY KEY," /* 64 hex digits */
	"  name TEXT NOT NULL UNIQUE,"
	"  image TEXT NOT NULL,"      /* its id; the image may be gone since */
	"  image_name TEXT NOT NULL," /* as it was given */
	"  document TEXT NOT NULL,"   /* JSON: what was asked for (store/run/document) */
	"  init_id INTEGER NOT NULL," /* thin ids: what diff and commit compare */
	"  thin_id INTEGER NOT NULL UNIQUE REFERENCES thin (id) ON DELETE CASCADE,"
	"  size_bytes INTEGER NOT NULL," /* of its device; 0: the pool's size for volumes */
	"  created_ns INTEGER NOT NULL,"
	"  auto_remove INTEGER NOT NULL,"
	"  state TEXT NOT NULL CHECK (state IN ('created', 'starting', 'running', 'exited')),"
	"  pid INTEGER NOT NULL DEFAULT 0," /* its first process, the ticks at its start ... */
	"  pid_start INTEGER NOT NULL DEFAULT 0,"
	"  boot TEXT," /* ... and the boot in which both hold */
	"  started_ns INTEGER NOT NULL DEFAULT 0,"
	"  finished_ns INTEGER NOT NULL DEFAULT 0,"
	"  exit_code INTEGER NOT NULL DEFAULT 0,"
	"  problem TEXT" /* why it could not be started */
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX container_image ON container (image);"
	"CREATE INDEX container_init ON container (init_id);"

	"CREATE TABLE local_volume ("
	"  name TEXT PRIMARY KEY,"
	"  anonymous INTEGER NOT NULL,"
	"  created_ns INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE container_volume ("
	"  container TEXT NOT NULL REFERENCES container (id) ON DELETE CASCADE,"
	"  volume TEXT NOT NULL REFERENCES local_volume (name),"
	"  PRIMARY KEY (container, volume)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX container_volume_volume ON container_volume (volume);";

/*
 * The build cache: which layer a step made. A layer that no image has yet, or
 * that only a stage in between needs, is held by its row; when an image takes
 * it over it goes with that image, and the row with it.
 */
static const char version_3[] =
	"CREATE TABLE build_step ("
	"  key TEXT PRIMARY KEY,"
	"  chain_id TEXT NOT NULL REFERENCES layer (chain_id) ON DELETE CASCADE,"
	"  held INTEGER NOT NULL,"
	"  what TEXT NOT NULL," /* for people: "RUN make" */
	"  created_ns INTEGER NOT NULL,"
	"  used_ns INTEGER NOT NULL,"
	"  uses INTEGER NOT NULL DEFAULT 0"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX build_step_chain ON build_step (chain_id);";

/* Whoever has the lock looks for containers that may have ended: not at each document for that. */
static const char version_4[] = "CREATE INDEX container_active ON container (state)"
				"  WHERE state IN ('starting', 'running');";

/*
 * A container that was never used is 'planned': it has an id, and its volume is made when somebody
 * needs it. The journal's index holds intents only.
 */
static const char version_5[] =
	"CREATE TABLE thin_5 ("
	"  id INTEGER PRIMARY KEY,"
	"  kind TEXT NOT NULL CHECK (kind IN ('template', 'layer', 'work', 'view', 'init',"
	"    'container')),"
	"  state TEXT NOT NULL CHECK (state IN ('planned', 'creating', 'live', 'deleting')),"
	"  txid INTEGER NOT NULL,"
	"  origin INTEGER,"
	"  session INTEGER"
	") STRICT;"
	"INSERT INTO thin_5 SELECT id, kind, state, txid, origin, session FROM thin;"
	"DROP TABLE thin;"
	"ALTER TABLE thin_5 RENAME TO thin;"
	"CREATE INDEX thin_state ON thin (state) WHERE state IN ('creating', 'deleting');"
	"CREATE INDEX thin_kind ON thin (kind) WHERE kind <> 'layer';";

/*
 * The last key of a step, which the image that it is in carries to other machines: it is known
 * then also where an earlier one was enough. NULL: not known.
 */
static const char version_6[] = "ALTER TABLE build_step ADD COLUMN last_key TEXT;";

/*
 * What registries have: the blob of a layer in a repository, and the manifest that an image came
 * with. They are of use as long as the layer, or the image, is here.
 */
static const char version_7[] =
	"CREATE TABLE remote_blob ("
	"  diff_id TEXT NOT NULL,"
	"  repository TEXT NOT NULL," /* domain/path */
	"  digest TEXT NOT NULL,"
	"  size_bytes INTEGER NOT NULL,"
	"  media_type TEXT NOT NULL,"
	"  seen_ns INTEGER NOT NULL,"
	"  PRIMARY KEY (diff_id, repository)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX layer_diff ON layer (diff_id);"
	"CREATE TRIGGER layer_last AFTER DELETE ON layer"
	"  BEGIN DELETE FROM remote_blob WHERE diff_id = OLD.diff_id"
	"    AND NOT EXISTS (SELECT 1 FROM layer WHERE diff_id = OLD.diff_id); END;"
	"CREATE TABLE manifest ("
	"  image TEXT PRIMARY KEY REFERENCES image (id) ON DELETE CASCADE,"
	"  document TEXT NOT NULL" /* its exact bytes */
	") STRICT, WITHOUT ROWID;";

/*
 * Volumes: thin ids of the kind 'volume', which somebody named. A snapshot of one is another, only
 * for reading. 'attached' and 'target' say how it is used, 'settled' as in a view. A name in front of
 * which a '.' stands is on its way out.
 */
static const char version_8[] =
	"CREATE TABLE thin_8 ("
	"  id INTEGER PRIMARY KEY,"
	"  kind TEXT NOT NULL CHECK (kind IN ('template', 'layer', 'work', 'view', 'init',"
	"    'container', 'volume')),"
	"  state TEXT NOT NULL CHECK (state IN ('planned', 'creating', 'live', 'deleting')),"
	"  txid INTEGER NOT NULL,"
	"  origin INTEGER,"
	"  session INTEGER"
	") STRICT;"
	"INSERT INTO thin_8 SELECT id, kind, state, txid, origin, session FROM thin;"
	"DROP TABLE thin;"
	"ALTER TABLE thin_8 RENAME TO thin;"
	"CREATE INDEX thin_state ON thin (state) WHERE state IN ('creating', 'deleting');"
	"CREATE INDEX thin_kind ON thin (kind) WHERE kind <> 'layer';"

	"CREATE TABLE volume ("
	"  name TEXT PRIMARY KEY,"
	"  thin_id INTEGER NOT NULL UNIQUE REFERENCES thin (id) ON DELETE CASCADE,"
	"  size_bytes INTEGER NOT NULL,"
	"  image TEXT,"		  /* what it was made from; it may be gone since */
	"  image_name TEXT,"	  /* as it was given */
	"  origin TEXT,"	  /* the volume that it is a snapshot of */
	"  raw INTEGER NOT NULL," /* without a file system of ours */
	"  read_only INTEGER NOT NULL,"
	"  attached INTEGER NOT NULL DEFAULT 0,"
	"  target TEXT," /* where it is mounted */
	"  settled INTEGER NOT NULL DEFAULT 1,"
	"  created_ns INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;";

/*
 * A view may show what a hash tree says only. A layer's digests (store/verity) go after its row, as
 * blobs do: they are told from these by name.
 */
static const char version_9[] = "ALTER TABLE view ADD COLUMN verity INTEGER NOT NULL DEFAULT 0;"
				"CREATE TRIGGER layer_digests AFTER DELETE ON layer"
				"  BEGIN INSERT OR IGNORE INTO doubt VALUES (OLD.chain_id); END;";

/* When an image came, or something was made of it or shown of it last: for pruning by age. */
static const char version_10[] = "ALTER TABLE image ADD COLUMN used_ns INTEGER NOT NULL DEFAULT 0;";

/* Whether a registry sent the image. One of which that is not known has not been pulled. */
static const char version_11[] = "ALTER TABLE image ADD COLUMN pulled INTEGER NOT NULL DEFAULT 0;";

const char *const schema_migrations[] = { version_1, version_2,	 version_3,  version_4,
					  version_5, version_6,	 version_7,  version_8,
					  version_9, version_10, version_11, NULL };
