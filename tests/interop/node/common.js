'use strict';
// What both Node programs need: flags, and the service, which is read from the .proto files.

const fs = require('fs');
const path = require('path');

// The packages are installed where the build is, not here.
const installed = path.join(process.env.INTEROP_NODE, 'node_modules');
const grpc = require(path.join(installed, '@grpc/grpc-js'));
const loader = require(path.join(installed, '@grpc/proto-loader'));

const definition = loader.loadSync('grpc/testing/test.proto', {
    includeDirs: [process.env.INTEROP_PROTOS],
    keepCase: true,
});

// --name=value
const flags = new Map();
for (const argument of process.argv.slice(2)) {
    const equals = argument.indexOf('=');

    if (equals < 0)
        flags.set(argument.slice(2), 'true');
    else
        flags.set(argument.slice(2, equals), argument.slice(equals + 1));
}

module.exports = {
    grpc,
    testing: grpc.loadPackageDefinition(definition).grpc.testing,
    flag: (name, otherwise) => flags.get(name) ?? otherwise,
    fileOf: (name) => fs.readFileSync(flags.get(name)),
    payload: (size) => ({ body: Buffer.alloc(size) }),
};
