// The real client of Residue, as npm has it, under the eyes of a test.
//
//     node residue_client.js MODULES OPTIONS
//
// MODULES is the directory node_modules in which the package `residue` is, OPTIONS what the client is given, as JSON. Each
// line of the input is a call: ["connect"], or ["info","LOGGER","MESSAGE",...], or ["repeat",COUNT,"info","LOGGER","MESSAGE"],
// which adds a number to each message.
//
// What the server says on any connection is printed as `HEARD PORT REPLY`, one line for a packet. What else is printed, the
// client says by itself.

"use strict";

const net = require("net");
const path = require("path");
const readline = require("readline");

// Everybody's connections are listened to; nobody notices.
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (port, ...rest) {
  if (!this.isHeard && typeof port === "number") {
    this.isHeard = true;
    this.on("data", (data) => {
      for (const packet of data.toString().split("\r\n\r\n").filter((text) => text !== "")) {
        console.log(`HEARD ${this.remotePort} ${packet}`);
      }
    });
  }
  return connect.call(this, port, ...rest);
};

// It does not expect errors of the connection for logs, which end the process unless somebody is there.
process.on("uncaughtException", (error) => console.log(`UNCAUGHT ${error.code} ${error.message}`));

const residue = require(path.join(process.argv[2], "residue"));
residue.loadConfiguration(JSON.parse(process.argv[3]));

function log(level, logger, message) {
  residue.getLogger(logger)[level](...message);
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [call, ...rest] = JSON.parse(line);
  if (call === "connect") {
    residue.connect();
  } else if (call === "repeat") {
    const [count, level, logger, message] = rest;
    for (let number = 0; number < count; number += 1) {
      log(level, logger, [`${message} ${number}`]);
    }
  } else {
    const [logger, ...message] = rest;
    log(call, logger, message);
  }
}).on("close", () => process.exit(0));
