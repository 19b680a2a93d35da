'use strict';
// The server of gRPC's interoperability tests, on the public interface of @grpc/grpc-js, which neither says whether a
// request came compressed nor compresses responses.

const { grpc, testing, flag, fileOf, payload } = require('./common.js');
const { setTimeout: pause } = require('timers/promises');

// What the call ends with.
function echoedTrailer(call) {
    const trailer = new grpc.Metadata();

    for (const value of call.metadata.get('x-grpc-test-echo-trailing-bin'))
        trailer.add('x-grpc-test-echo-trailing-bin', value);
    return trailer;
}

function echoMetadata(call) {
    const initial = new grpc.Metadata();

    for (const value of call.metadata.get('x-grpc-test-echo-initial'))
        initial.add('x-grpc-test-echo-initial', value);
    call.sendMetadata(initial);
}

function emptyCall(call, callback) {
    callback(null, {});
}

function unaryCall(call, callback) {
    const { response_status: status, response_size: size } = call.request;

    echoMetadata(call);
    if (status && status.code)
        callback({ code: status.code, details: status.message, metadata: echoedTrailer(call) });
    else
        callback(null, { payload: payload(size) }, echoedTrailer(call));
}

// Sends a response for each of the request's parameters.
async function respond(call, request) {
    for (const { size, interval_us: interval } of request.response_parameters || []) {
        if (interval > 0)
            await pause(interval / 1000);
        call.write({ payload: payload(size) });
    }
}

async function streamingOutputCall(call) {
    await respond(call, call.request);
    call.end();
}

function streamingInputCall(call, callback) {
    let sum = 0;

    call.on('data', (request) => {
        sum += request.payload.body.length;
    });
    call.on('end', () => callback(null, { aggregated_payload_size: sum }));
}

// One request after the other.
function fullDuplexCall(call) {
    let answered = Promise.resolve();

    echoMetadata(call);
    call.on('data', ({ response_status: status, ...request }) => {
        if (status && status.code)
            call.emit('error', { code: status.code, details: status.message });
        else
            answered = answered.then(() => respond(call, request));
    });
    call.on('end', () => answered.then(() => call.end(echoedTrailer(call))));
}

function credentials() {
    if (flag('use_tls') !== 'true')
        return grpc.ServerCredentials.createInsecure();
    return grpc.ServerCredentials.createSsl(null, [
        { private_key: fileOf('tls_key_file'), cert_chain: fileOf('tls_cert_file') },
    ]);
}

const server = new grpc.Server();

server.addService(testing.TestService.service, {
    EmptyCall: emptyCall,
    UnaryCall: unaryCall,
    StreamingOutputCall: streamingOutputCall,
    StreamingInputCall: streamingInputCall,
    FullDuplexCall: fullDuplexCall,
});
server.bindAsync(`127.0.0.1:${flag('port', '0')}`, credentials(), (error, port) => {
    if (error)
        throw error;
    console.log(`listening on port ${port}`);
});
