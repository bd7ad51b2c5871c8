export default { serverExternalPackages: ['session-mirror'], poweredByHeader: false }
