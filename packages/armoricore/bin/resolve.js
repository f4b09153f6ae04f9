/**
 * Resolves the imports of the program's own modules and of `effect` without the file system. Node looks for a
 * `package.json` and for symbolic links at each import of each file, and the program has some 10,000 imports: a quarter of
 * the CPU of its start. All these packages are ES modules and import files by their full names.
 */
import module from "node:module"

const formats = { ".ts": "module-typescript", ".js": "module" }
// The last `node_modules` of the path decides: these packages may have CommonJS packages of their own below them.
const ownFiles = /\/(?:node_modules\/(?:@effect\/|@armoricore\/|effect\/)|packages\/)(?!.*\/node_modules\/)/

/** The URL of a relative specifier; its parent has no symbolic links below its package. */
const join = (parent, specifier) => {
  let folder = parent.slice(0, parent.lastIndexOf("/"))
  let rest = specifier
  for (;;) {
    if (rest.startsWith("./")) rest = rest.slice(2)
    else if (rest.startsWith("../")) {
      rest = rest.slice(3)
      folder = folder.slice(0, folder.lastIndexOf("/"))
    } else return `${folder}/${rest}`
  }
}

let isRegistered = false

export const resolveOnce = () => {
  // An old Node has no such hooks; it only prints that it is too old.
  if (isRegistered || module.registerHooks === undefined) return
  isRegistered = true
  const packages = new Map()
  module.registerHooks({
    resolve: (specifier, context, next) => {
      const parent = context.parentURL
      if (parent === undefined || !ownFiles.test(parent)) return next(specifier, context)
      if (specifier.startsWith(".")) {
        const format = formats[specifier.slice(specifier.lastIndexOf("."))]
        return format === undefined
          ? next(specifier, context)
          : { url: join(parent, specifier), format, shortCircuit: true }
      }
      // One version of these is installed, so that a specifier is one file for all parents.
      if (!/^(?:effect|@armoricore)(?:\/|$)/.test(specifier)) return next(specifier, context)
      const known = packages.get(specifier)
      if (known !== undefined) return known
      const { format, url } = next(specifier, context)
      const found = { url, format, shortCircuit: true }
      packages.set(specifier, found)
      return found
    },
  })
}
