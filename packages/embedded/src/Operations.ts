/**
 * How an adapter keeps its data in the engine: a module file exports its `migrations`, its `operations` and, where old
 * rows must go, a `sweep`. The engine's thread imports the file by URL, so it must not import anything heavy.
 *
 * An operation is synchronous and deterministic: it reads and writes the database and returns a value that can be cloned.
 * It keeps nothing in memory, for its transaction may be rolled back and run again. What a caller has to expect (`full`,
 * a lost compare-and-set) is a returned value; throwing means a bug or a broken disk.
 */
export type SqlValue = null | number | bigint | string | Uint8Array

export interface EngineDatabase {
  readonly run: (sql: string, ...parameters: ReadonlyArray<SqlValue>) => RunResult
  /** The first row. The caller names the row's shape: it is what the statement selects. */
  readonly get: <Row>(sql: string, ...parameters: ReadonlyArray<SqlValue>) => Row | undefined
  readonly all: <Row>(sql: string, ...parameters: ReadonlyArray<SqlValue>) => ReadonlyArray<Row>
  /** Bytes in use, counted once per transaction. */
  readonly usedBytes: () => number
}

export interface RunResult {
  readonly changes: number
  readonly lastInsertRowid: number
}

export interface OperationContext {
  /** As given by the first process that registered the module with this owner. */
  readonly options: Readonly<Record<string, number>>
  /** Whether anybody listens to this topic: spares making a notice that nobody gets. */
  readonly hasSubscribers: (topic: string) => boolean
  /** Sends a notice to every listener of the topic, in every process, once the transaction is committed. */
  readonly emit: (topic: string, data?: unknown) => void
}

export type Operation<Args, Result> = (db: EngineDatabase, args: Args, context: OperationContext) => Result
export type Operations = Readonly<Record<string, Operation<never, unknown>>>

export interface OperationsModule {
  /** SQL scripts; the schema's version is how many have run. Never change one that was released: append. */
  readonly migrations: ReadonlyArray<string>
  readonly operations: Operations
  /** Run by the owner every minute, in its own transaction. */
  readonly sweep?: (db: EngineDatabase, context: OperationContext, now: number) => void
}
