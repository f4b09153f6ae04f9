export const migrations = ["CREATE TABLE tally_entries (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"];
export const operations = {
    add: (db, { text }, context) => {
        const { lastInsertRowid } = db.run("INSERT INTO tally_entries (text) VALUES (?)", text);
        context.emit(`added.${text}`, { text });
        return lastInsertRowid;
    },
    addThenThrow: (db, { text }, context) => {
        db.run("INSERT INTO tally_entries (text) VALUES (?)", text);
        context.emit(`added.${text}`, { text });
        throw new Error("thrown on purpose");
    },
    texts: (db) => db.all("SELECT text FROM tally_entries ORDER BY id").map(({ text }) => text),
    bytes: (_db, { body }) => body,
};
