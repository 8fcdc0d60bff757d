/** The version of this package, as in package.json, which bundles can't read. A test compares the two. */
export const version = '0.1.0'
