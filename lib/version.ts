/** The version of this package, as in package.json: bundles can't read that file. A test compares the two. */
export const version = '0.1.0'
