// Socket.IO over WebSocket alone, one of its rooms for each ?room=: `node socketio.mjs PORT`.
import { Server } from 'socket.io'

new Server(Number(process.argv[2]), { transports: ['websocket'] }).on('connection', socket => {
  const { room } = socket.handshake.query
  socket.join(room)
  socket.on('move', move => socket.to(room).emit('move', move))
})
