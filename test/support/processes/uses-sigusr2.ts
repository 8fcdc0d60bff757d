/** An application that has its own use for SIGUSR2. */
process.on('SIGUSR2', () => console.log('a snapshot'))
await import('./main.js')
